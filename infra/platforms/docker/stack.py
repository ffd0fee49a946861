"""A whole plan on Docker: on one host, or with the store on a second one."""

from __future__ import annotations

import pulumi
from pydantic import SecretStr

from infra import stack_secrets
from infra.images import BuildHost, BuiltImage, ImageSpec
from infra.plan import Plan
from infra.platforms.docker import providers
from infra.platforms.docker.backup import Backup
from infra.platforms.docker.docker_host import DockerHost
from infra.platforms.docker.group import Group
from infra.platforms.docker.replicas import Replicas
from infra.platforms.docker.store import Store
from infra.platforms.docker.store_host import StoreHost
from infra.settings import Registry
from infra.settings import StoreHost as StoreHostSettings
from infra.vocabulary import Purpose


class DockerStack(pulumi.ComponentResource):
    """Everything of one stack.

    Attributes:
        url: Where the gateway answers.
        plain_url: Where it answers without TLS; None when it does not.
        secrets: The stack's secrets.
        container: Name of the server's container.
        volume: Name of the store volume.
        image: ID of the server's image.
    """

    url: str
    plain_url: str | None
    secrets: stack_secrets.StackSecrets
    container: pulumi.Output[str]
    volume: pulumi.Output[str]
    image: pulumi.Output[str]

    def __init__(
        self,
        plan: Plan,
        specs: dict[str, ImageSpec],
        build_host: BuildHost,
        registry: Registry | None,
        *,
        given_certificate: SecretStr | None = None,
        store_host: StoreHostSettings | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it.

        Args:
            plan: The plan.
            specs: The images by their keys.
            build_host: How images are built.
            registry: Where they are pushed to, if anywhere.
            given_certificate: The gateway's certificate, if it was given.
            store_host: The way to the host of `plan.far`.
            opts: Of the component.
        """
        super().__init__("cortex:docker:Stack", plan.stack, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        near = DockerHost(plan.stack, self, providers.near(registry, mine))
        built = {key: BuiltImage(specs[key], build_host, registry, opts=near.inside) for key in plan.images}
        of_store = near
        if plan.far is not None:
            if store_host is None:
                raise ValueError("the plan has a second host, and the way to it is not given")
            of_store = StoreHost(plan.stack, store_host, registry, opts=mine).host
        # The volume belongs to the stack, not to the host: what was moved to another one is still the same store.
        on_its_host = pulumi.ResourceOptions(parent=self, providers={"docker": of_store.provider})
        store = Store(plan.stack, plan.store_group.store, opts=on_its_host)
        backup = Backup(plan, of_store, built, store_host, mine) if plan.restore else None
        self.secrets = stack_secrets.make(plan, given_certificate, mine, backup.secrets if backup else None)
        parts = near.parts(plan.networks, plan.near_containers, built, self.secrets.values)
        store_parts = parts
        if plan.far is not None:
            store_parts = of_store.parts(plan.far.networks, plan.far_containers, built, self.secrets.values)
            of_store.alone(plan.far.door, store_parts)
        filled = backup.restored(store.volume_name) if backup else store.volume_name
        # Nobody waits for anybody here: each asks for the others until they answer.
        group = Group(plan.stack, plan.store_group, store_parts, store_volume=filled, opts=of_store.inside)
        if plan.drill is not None:
            of_store.alone(plan.drill, store_parts)
        if plan.api is not None:
            Replicas(plan.stack, plan.api, parts, opts=near.inside)
        near.alone(plan.gateway, parts)
        ports = {port.purpose: f"{_reachable(port.host_address)}:{port.host_port}" for port in plan.gateway.ports}
        self.url = f"https://{ports[Purpose.TLS]}"
        self.plain_url = f"http://{ports[Purpose.PLAIN]}" if Purpose.PLAIN in ports else None
        self.container = group.server.name
        self.volume = store.volume_name
        self.image = pulumi.Output.from_input(store_parts.images[plan.store_group.server.image])
        self.register_outputs({"url": self.url})


def _reachable(address: str) -> str:
    """An address a client on this host can use: the unspecified address is none."""
    if address == "0.0.0.0":  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if address == "::":
        return "[::1]"
    return f"[{address}]" if ":" in address else address
