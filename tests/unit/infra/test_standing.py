"""A store is never left behind without a word: what the state tells, and what is refused."""

from __future__ import annotations

import pytest

from infra.feasibility import Host
from infra.images import ROOT
from infra.settings import load_settings
from infra.standing import GUIDE, Standing, of_resources, problems

HERE, THERE, OTHER = None, "ssh://db1", "ssh://db2"
STACK = "urn:pulumi:dev::cortex::cortex:docker:Stack"
VOLUME = f"{STACK}$cortex:docker:Store$docker:index/volume:Volume::store"
SERVER = "$cortex:docker:StoreGroup$docker:index/container:Container::server"
PROVIDER = f"{STACK}$cortex:docker:StoreHost$pulumi:providers:docker::docker"
MADE = Standing(store=True, server_id="c1", docker=HERE)
MADE_THERE = Standing(store=True, server_id="c1", docker=THERE)
DOWN = Standing(store=True)
WITH, WITHOUT = Host(has_store=True), Host(has_store=False)


def resource(**outputs: str) -> dict[str, object]:
    return {"type": "", "outputs": outputs}


@pytest.mark.parametrize(
    ("resources", "found"),
    [
        ({}, Standing()),
        ({VOLUME: resource(), f"{STACK}{SERVER}": resource(id="c1")}, MADE),
        # As the only topology of old had them.
        ({VOLUME: resource(), f"{STACK}{SERVER.replace('server', 'api')}": resource(id="c1")}, MADE),
        ({VOLUME: resource()}, DOWN),
        (
            {
                VOLUME: resource(),
                f"{STACK}$cortex:docker:StoreHost{SERVER}": resource(id="c1"),
                PROVIDER: resource(host=THERE),
            },
            MADE_THERE,
        ),
        # Another volume is no store.
        ({f"{STACK}$cortex:docker:SecretFiles$docker:index/volume:Volume::api-secrets": resource()}, Standing()),
    ],
)
def test_the_state_tells_where_the_store_is(resources, found):
    assert of_resources(resources) == found


def told(before: Standing, wanted: str | None, near: Host, far: Host | None) -> str:
    raw = {"topology": "client-server", "registry": {"address": "r.example.com"}}
    if wanted:
        raw["store_host"] = {"docker": wanted, "address": "10.0.0.5"}
    return "\n".join(str(each) for each in problems("dev", load_settings(raw, "dev"), before, near, far))


@pytest.mark.parametrize(
    ("before", "wanted", "near", "far"),
    [
        # New stacks.
        (Standing(), HERE, WITHOUT, None),
        (Standing(), THERE, WITHOUT, WITHOUT),
        # A store that a destroyed stack has left, and that is taken up again.
        (Standing(), HERE, WITH, None),
        (Standing(), THERE, WITHOUT, WITH),
        # As before.
        (MADE, HERE, WITH, None),
        (MADE_THERE, THERE, WITHOUT, WITH),
        (DOWN, HERE, WITH, None),
        # Taken down, copied, brought up elsewhere.
        (DOWN, THERE, WITH, WITH),
        # The same host by another name: its container is found there.
        (MADE_THERE, OTHER, WITHOUT, Host(has_store=True, containers=frozenset({"c1"}))),
        # Not known.
        (MADE, HERE, Host(), None),
    ],
)
def test_what_loses_nothing_is_let_through(before, wanted, near, far):
    assert told(before, wanted, near, far) == ""


@pytest.mark.parametrize(
    ("before", "wanted", "near", "far"),
    [
        (MADE, THERE, WITH, WITHOUT),
        # A copy of what is still written to.
        (MADE, THERE, WITH, WITH),
        (MADE_THERE, HERE, WITHOUT, None),
        (MADE_THERE, HERE, WITH, None),
        (MADE_THERE, OTHER, WITHOUT, WITH),
    ],
)
def test_a_store_in_use_elsewhere_is_not_left(before, wanted, near, far):
    said = told(before, wanted, near, far)
    assert "would leave the store behind" in said
    assert (before.docker or "the gateway's own host") in said
    assert "make destroy" in said


@pytest.mark.parametrize(
    ("before", "wanted", "near", "far"),
    [
        (DOWN, THERE, WITH, WITHOUT),
        (DOWN, HERE, WITHOUT, None),
        # The volume was removed by hand, or Docker is another one than before.
        (MADE, HERE, WITHOUT, None),
        (MADE_THERE, THERE, WITHOUT, WITHOUT),
        # The state was lost.
        (Standing(), THERE, WITH, WITHOUT),
    ],
)
def test_an_empty_store_does_not_take_the_place_of_one(before, wanted, near, far):
    said = told(before, wanted, near, far)
    assert "would begin with an empty store" in said
    assert "cortex-dev-store" in said


def test_the_guide_is_there():
    page, _, title = GUIDE.partition(", section ")
    title = title.strip('"')
    assert f"## {title}\n" in (ROOT / page).read_text()
