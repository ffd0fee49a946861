"""Every container of a client-server stack is what the plan says: as for single-node, and here what differs."""

from __future__ import annotations

import json

import pytest

from infra.topologies.backup import BACKUP, DRILL
from infra.topologies.parts import API, CHROMA, GATEWAY
from tests.deploy.deployment import Deployment
from tests.deploy.planned import backup_mounts, placed
from tests.deploy.test_single_node_container import (
    BARE_JUDGEMENTS,
    PROBE,
    STORE_JUDGEMENTS,
    test_cgroup_limits_equal_the_plan,
    test_docker_was_asked_for_no_privilege,
    test_logs_rotate_and_the_server_comes_back,
    test_no_process_has_rights,
    test_open_files_are_granted,
    test_stop_ends_in_order,
)

__all__ = [
    "test_cgroup_limits_equal_the_plan",
    "test_docker_was_asked_for_no_privilege",
    "test_logs_rotate_and_the_server_comes_back",
    "test_no_process_has_rights",
    "test_open_files_are_granted",
    "test_stop_ends_in_order",
]
REPLICAS = 2


@pytest.fixture
def deployment(client_server: Deployment) -> Deployment:
    """The stack that the tests of single-node look at here."""
    return client_server


def test_nothing_runs_but_what_is_planned(deployment: Deployment) -> None:
    kinds = sorted(wanted.name for wanted in placed(deployment).values())
    assert kinds == sorted([*[API] * REPLICAS, CHROMA, GATEWAY, BACKUP, DRILL])


@pytest.mark.parametrize(
    ("part", "closed", "open_"),
    [
        (CHROMA, "/opt/cortex", ("/tmp", "/data/.cortex")),
        ("api-1", "/run/cortex/secrets", ("/tmp",)),
        ("api-2", "/run/cortex/secrets", ("/tmp",)),
        (GATEWAY, "/run/cortex/gateway", ("/tmp",)),
    ],
)
def test_root_is_read_only(deployment: Deployment, part: str, closed: str, open_: tuple[str, ...]) -> None:
    places = " ".join(("/", "/opt/cortex", "/etc", "/run", closed))
    tried = deployment.host("root", part).run(f"for each in {places}; do touch $each/probe && echo $each; done")
    assert tried.stdout == ""
    assert tried.stderr.count("Read-only file system") == len(places.split())
    for place in open_:
        assert deployment.host(part=part).run(f"touch {place}/probe && rm {place}/probe").rc == 0, place


def test_only_chroma_and_the_archiver_have_the_store(deployment: Deployment) -> None:
    own = f"cortex-{deployment.name}"
    wanted = {
        CHROMA: {"/data": (deployment.volume, True)},
        API: {"/run/cortex/secrets": (f"{own}-api-secrets", False)},
        GATEWAY: {"/run/cortex/gateway": (f"{own}-gateway-files", False)},
        **backup_mounts(deployment),
    }
    for name, container in placed(deployment).items():
        inspected = deployment.inspect(name)
        mounts = {mount["Destination"]: (mount["Name"], mount["RW"]) for mount in inspected["Mounts"]}
        assert mounts == wanted[container.name], name
        options = inspected["HostConfig"]["Tmpfs"]
        assert list(options) == ["/tmp"], name
        for option in ("noexec", "nosuid", "nodev", "size="):
            assert option in options["/tmp"], (name, option)


def test_each_guard_judges_what_is_there(deployment: Deployment) -> None:
    judgements = {CHROMA: STORE_JUDGEMENTS, **dict.fromkeys((API, GATEWAY, BACKUP, DRILL), BARE_JUDGEMENTS)}
    for name, wanted in placed(deployment).items():
        check = deployment.inspect(name)["Config"]["Healthcheck"]
        assert check["Test"] == ["CMD", PROBE], name
        assert check["Retries"] == wanted.health.retries, name
        said = json.loads(deployment.host(part=name).check_output(f"{PROBE} --json"))
        found = {judgement["name"] for judgement in said["judgements"]}
        assert found >= judgements[wanted.name], name
        assert ("canary" in found) is (wanted.name == CHROMA), name


def test_the_parts_hold_no_more_than_they_run(deployment: Deployment) -> None:
    """The replicas have Chroma's client only, its server and drills none of its Python, the gateway neither."""
    looked_for = ("chromadb_rust_bindings", "chromadb", "cortex_api", "onnxruntime", "pip")
    look = f"from importlib.util import find_spec as f; print(*(n for n in {looked_for!r} if f(n)))"
    wanted = {
        CHROMA: {"chromadb_rust_bindings"},
        API: {"chromadb", "cortex_api", "onnxruntime"},
        GATEWAY: set(),
        **{part: {"chromadb_rust_bindings"} for part in (BACKUP, DRILL)},
    }
    for name, container in placed(deployment).items():
        found = deployment.docker(["exec", name, "python3", "-c", look]).split()
        assert set(found) == wanted[container.name], name


def test_status_tells_of_the_remote_store(deployment: Deployment) -> None:
    with deployment.client() as client:
        status = client.get("/v1/status").json()
    assert status["memory"]["of"] == "container"
    replica = next(wanted for wanted in placed(deployment).values() if wanted.name == API)
    assert 0 < status["memory"]["used_bytes"] < status["memory"]["limit_bytes"] == replica.resources.memory_limit_bytes
    assert status["sizing"] == json.loads(replica.environment["CORTEX_SIZING"])
