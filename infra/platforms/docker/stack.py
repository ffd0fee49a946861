"""A whole plan on one Docker host."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from infra import names
from infra.credentials import AccessToken
from infra.images import BuildHost, BuiltImage, ImageSpec
from infra.plan import Plan
from infra.platforms.docker.group import Group
from infra.platforms.docker.secret_files import SecretFiles
from infra.platforms.docker.store import Store
from infra.settings import Registry


class DockerStack(pulumi.ComponentResource):
    """Everything of one stack on one Docker host.

    Attributes:
        url: Where the API answers.
        tokens: Access tokens by name, secrets.
        container: Name of the server's container.
        volume: Name of the store volume.
        image: ID of the server's image.
    """

    url: str
    tokens: dict[str, pulumi.Output[str]]
    container: pulumi.Output[str]
    volume: pulumi.Output[str]
    image: pulumi.Output[str]

    def __init__(
        self,
        plan: Plan,
        specs: dict[str, ImageSpec],
        build_host: BuildHost,
        registry: Registry | None,
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

        tokens = {
            token.name: (token, AccessToken(token.name, token.generation, opts=mine).value) for token in plan.tokens
        }
        network = docker.Network(
            "network",
            name=names.on_host(plan.stack),
            driver="bridge",
            opts=pulumi.ResourceOptions(parent=self, provider=provider),
        )
        group = plan.store_group
        store = Store(plan.stack, group.store, opts=on_host)
        secret_volumes = {
            secret: SecretFiles(
                plan.stack, secret, tokens, image_id=images[container.image], security=container.security, opts=on_host
            ).volume_name
            for container in group.containers
            for secret in container.secrets
        }
        rendered = Group(
            plan.stack,
            group,
            images=images,
            store_volume=store.volume_name,
            secret_volumes=secret_volumes,
            network=network.name,
            opts=on_host,
        )
        port = group.server.ports[0]
        self.url = f"http://{_reachable(port.host_address)}:{port.host_port}"
        self.tokens = {name: value for name, (_, value) in tokens.items()}
        self.container = rendered.server.name
        self.volume = store.volume_name
        self.image = pulumi.Output.from_input(images[group.server.image])
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
