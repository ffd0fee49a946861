"""A whole plan on one Docker host."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker
from pydantic import SecretStr

from infra import names, stack_secrets
from infra.images import BuildHost, BuiltImage, ImageSpec
from infra.plan import Plan
from infra.platforms.docker.container import NOT_UPDATED_IN_PLACE
from infra.platforms.docker.file_volume import Files
from infra.platforms.docker.group import Group
from infra.platforms.docker.host_parts import HostParts
from infra.platforms.docker.replicas import Replicas
from infra.platforms.docker.store import Store
from infra.settings import Registry
from infra.vocabulary import Purpose

# The bridge gets no address: without one the host has no way to the containers either.
HOST_STAYS_OUT = {"com.docker.network.bridge.inhibit_ipv4": "true"}


class DockerStack(pulumi.ComponentResource):
    """Everything of one stack on one Docker host.

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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("cortex:docker:Stack", plan.stack, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        provider = docker.Provider("docker", registry_auth=_auth(registry), opts=mine)
        on_host = pulumi.ResourceOptions(parent=self, providers={"docker": provider})

        images = {}
        for key in plan.images:
            built = BuiltImage(specs[key], build_host, registry, opts=on_host)
            images[key] = docker.RemoteImage(
                key,
                name=built.reference,
                keep_locally=True,
                opts=pulumi.ResourceOptions(parent=built, provider=provider),
            ).image_id
        self.secrets = stack_secrets.make(plan, given_certificate, mine)
        networks = {
            network.name: docker.Network(
                network.name,
                name=names.on_host(plan.stack, network.name),
                driver="bridge",
                internal=network.internal,
                options=HOST_STAYS_OUT if network.internal else None,
                opts=pulumi.ResourceOptions(parent=self, provider=provider),
            ).name
            for network in plan.networks
        }
        store = Store(plan.stack, plan.store_group.store, opts=on_host)
        file_volumes = {
            container.files: Files(
                plan.stack,
                container.files,
                self.secrets.values,
                image_id=images[container.image],
                security=container.security,
                opts=on_host,
            ).volume_name
            for container in plan.containers
            if container.files is not None
        }
        parts = HostParts(images, networks, file_volumes)
        # Nobody waits for anybody here: each asks for the others until they answer.
        group = Group(plan.stack, plan.store_group, parts, store_volume=store.volume_name, opts=on_host)
        if plan.api is not None:
            Replicas(plan.stack, plan.api, parts, opts=on_host)
        docker.Container(
            plan.gateway.name,
            name=names.on_host(plan.stack, plan.gateway.name),
            **parts.arguments(plan.stack, plan.gateway),
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=provider,
                # Two cannot have the same ports.
                delete_before_replace=True,
                replace_on_changes=NOT_UPDATED_IN_PLACE,
            ),
        )
        ports = {port.purpose: f"{_reachable(port.host_address)}:{port.host_port}" for port in plan.gateway.ports}
        self.url = f"https://{ports[Purpose.TLS]}"
        self.plain_url = f"http://{ports[Purpose.PLAIN]}" if Purpose.PLAIN in ports else None
        self.container = group.server.name
        self.volume = store.volume_name
        self.image = pulumi.Output.from_input(images[plan.store_group.server.image])
        self.register_outputs({"url": self.url})


def _reachable(address: str) -> str:
    """An address a client on this host can use: the unspecified address is none."""
    if address == "0.0.0.0":  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if address == "::":
        return "[::1]"
    return f"[{address}]" if ":" in address else address


def _auth(registry: Registry | None) -> list[docker.ProviderRegistryAuthArgs] | None:
    if registry is None or registry.password is None:
        return None
    return [
        docker.ProviderRegistryAuthArgs(
            address=registry.address,
            username=registry.username,
            password=pulumi.Output.secret(registry.password.get_secret_value()),
        )
    ]
