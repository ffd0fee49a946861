"""The ways to Docker daemons: one provider for each host."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker
from pydantic import SecretStr

from infra.settings import Registry, StoreHost

NAME = "docker"


def near(registry: Registry | None, opts: pulumi.ResourceOptions) -> docker.Provider:
    """To the daemon that this machine's Docker command talks to."""
    return docker.Provider(NAME, registry_auth=_auth(registry), opts=opts)


def far(host: StoreHost, registry: Registry | None, opts: pulumi.ResourceOptions) -> docker.Provider:
    """To the daemon of the store's own host."""
    return docker.Provider(
        NAME,
        host=host.docker,
        ssh_opts=[*host.ssh_options] or None,
        ca_material=_secret(host.ca),
        cert_material=_secret(host.client_certificate),
        key_material=_secret(host.client_key),
        registry_auth=_auth(registry),
        opts=opts,
    )


def _auth(registry: Registry | None) -> list[docker.ProviderRegistryAuthArgs] | None:
    if registry is None or registry.password is None:
        return None
    return [
        docker.ProviderRegistryAuthArgs(
            address=registry.address, username=registry.username, password=_secret(registry.password)
        )
    ]


def _secret(value: SecretStr | None) -> pulumi.Output[str] | None:
    return pulumi.Output.secret(value.get_secret_value()) if value else None
