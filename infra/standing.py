"""What the stack's own state says of its store before an update: whether there is one, and where its server runs.

Data stays where it is: a store that is expected on a host that does not have it must never begin anew, empty, without a
word. Pulumi itself would notice nothing, since the address of a provider can change beneath what was made with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra import names
from infra.feasibility import Host
from infra.settings import Problem, Settings

_VOLUME = "cortex:docker:Store$docker:index/volume:Volume::"
_SERVER = "cortex:docker:StoreGroup$docker:index/container:Container::"
_PROVIDER = "cortex:docker:StoreHost$pulumi:providers:docker::"
_FAR = "cortex:docker:StoreHost$"
# The engine writes the state while the program runs: a file backend can be read in the middle of that.
_HALF_WRITTEN = "failed to load checkpoint"
_READS, _PAUSE_S = 20, 0.1
GUIDE = 'docs/topologies.md, section "The store on a host of its own"'


@dataclass(frozen=True, slots=True)
class Standing:
    """What was made before.

    Attributes:
        store: Whether there is a store volume.
        server_id: Docker's id of the container of its server; None if there is none.
        docker: Endpoint of the host of that container; None for the gateway's own.
    """

    store: bool = False
    server_id: str | None = None
    docker: str | None = None


def read(pause: Callable[[float], None] = time.sleep) -> Standing:
    """Ask the engine for the state of this stack, as the last update left it."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    for left in reversed(range(_READS)):
        try:
            told = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack}).value
        except Exception as error:  # the engine's errors have no type of their own
            if _HALF_WRITTEN not in str(error) or not left:
                raise
            pause(_PAUSE_S)
        else:
            break
    return of_resources((told or {}).get("outputs") or {})


def of_resources(resources: Mapping[str, Any]) -> Standing:
    """Find the store among the resources of a state.

    Args:
        resources: URN → `type` and `outputs`.
    """
    server = next((urn for urn in resources if _SERVER in urn), None)
    docker = next((each["outputs"].get("host") for urn, each in resources.items() if _PROVIDER in urn), None)
    return Standing(
        store=any(_VOLUME in urn for urn in resources),
        server_id=resources[server]["outputs"].get("id") if server else None,
        docker=docker if server and _FAR in server else None,
    )


def problems(stack: str, settings: Settings, standing: Standing, near: Host, far: Host | None) -> Iterator[Problem]:
    """Yield what would leave a store behind.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        standing: What was made before.
        near: The gateway's host.
        far: The store's own host, if the settings name one.
    """
    wanted = settings.store_host.docker if settings.store_host else None
    chosen = near if far is None else far
    volume = names.on_host(stack, "store")
    path = "store_host" if wanted is None else "store_host.docker"
    there, here = _place(standing.docker), _place(wanted)
    if standing.server_id is not None and standing.docker != wanted and standing.server_id not in chosen.containers:
        yield Problem(
            path,
            f"would leave the store behind: it is in use on {there}, and data is not moved by itself",
            f"set it back; or take the containers down (make destroy, the data stays), then move volume {volume} to "
            f"{here} as {GUIDE} says",
            wanted,
        )
    elif standing.store and chosen.has_store is False:
        yield Problem(
            path,
            f"would begin with an empty store: there is no volume {volume} on {here}, and this stack has made one",
            f"set it back; or move the volume there as {GUIDE} says; or, if its data is not wanted any more, make an "
            f"empty one there yourself: docker volume create {volume}",
            wanted,
        )
    elif not standing.store and far is not None and near.has_store and far.has_store is False:
        yield Problem(
            path,
            f"would begin with an empty store, and {_place(None)} has one of this stack in volume {volume}",
            f"leave cortex:store_host out to use that; or move it as {GUIDE} says; or remove it if its data is not "
            f"wanted any more: docker volume rm {volume}",
            wanted,
        )


def _place(docker: str | None) -> str:
    return docker or "the gateway's own host"
