"""The other Docker host that a client-server stack may keep its store on, and the rules for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from infra.settings.problems import Problem
from infra.settings.section import Number, Section
from infra.vocabulary import Topology

SSH = "ssh"
_TLS_PARTS = ("ca", "client_certificate", "client_key")


class StoreHost(Section):
    """Another Docker host, with Chroma and the store on it; gateway and API stay on this one."""

    key: ClassVar[str] = "store_host"

    docker: str = Field(
        pattern=r"^(ssh://([^@:/\s-][^@:/\s]*@)?|tcp://)([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$",
        description="Its Docker daemon, as ssh://user@host:port or, with TLS, tcp://host:port",
        examples=["ssh://deploy@db1.example.com"],
    )
    address: str = Field(
        pattern=r"^[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}$",
        description="Name or address that the gateway reaches it at",
        examples=["db1.example.com"],
    )
    port: Number = Field(8443, ge=1, le=65_535, description="Port of its door, the only one that is published there")
    listen: IPv4Address | IPv6Address = Field(
        IPv4Address("0.0.0.0"),  # noqa: S104 - TLS, and the credential is asked for
        description="Its own address that the door is published on",
        examples=["10.0.0.5"],
    )
    ssh_options: tuple[str, ...] = Field(
        (), description="Further arguments of ssh, one each", examples=[["-o", "IdentityFile=/home/ci/.ssh/store"]]
    )
    ca: SecretStr | None = Field(
        None, min_length=1, description="PEM of the authority that its daemon shows, for tcp", examples=["(a secret)"]
    )
    client_certificate: SecretStr | None = Field(
        None, min_length=1, description="PEM of the certificate to show to it, for tcp", examples=["(a secret)"]
    )
    client_key: SecretStr | None = Field(
        None, min_length=1, description="PEM of that certificate's key; set it with --secret", examples=["(a secret)"]
    )

    @property
    def over_ssh(self) -> bool:
        """Whether its daemon is reached over SSH; else with TLS."""
        return urlsplit(self.docker).scheme == SSH


def check(sections: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the group, and between it and others.

    Args:
        sections: The sections that could be read, by key.
    """
    host: StoreHost | None = sections.get(StoreHost.key)
    if host is None:
        return
    if sections.get("topology") is Topology.SINGLE_NODE:
        yield Problem(
            StoreHost.key,
            "does not fit topology single-node, where the API itself holds the store",
            f"set cortex:topology to {Topology.CLIENT_SERVER}, or leave it out",
        )
    if "registry" in sections and sections["registry"] is None:
        yield Problem(
            "registry",
            "is needed with cortex:store_host: images are pulled from it by either host",
            "name one that both reach: pulumi config set --path registry.address registry.example.com",
        )
    yield from _way_to_docker(host)
    if _leads_nowhere(host.address):
        yield Problem(
            "store_host.address",
            "leads to the gateway's own container, and nowhere else",
            "give the name or address that the other host has in your network",
            host.address,
        )


def _way_to_docker(host: StoreHost) -> Iterator[Problem]:
    given = [part for part in _TLS_PARTS if getattr(host, part) is not None]
    if host.over_ssh:
        for part in given:
            yield Problem(
                f"store_host.{part}",
                "is for tcp, and cortex:store_host.docker is over ssh, which has keys of its own",
                f"leave it out: pulumi config rm --path store_host.{part}",
            )
        return
    for part in _TLS_PARTS:
        if part not in given:
            yield Problem(
                f"store_host.{part}",
                "is missing: a Docker daemon on tcp without TLS gives its host to whoever reaches it",
                f"pulumi config set --path --secret store_host.{part} < FILE, or use ssh://",
            )
    if urlsplit(host.docker).port is None:
        yield Problem("store_host.docker", "has no port", "add that of the daemon with TLS, such as :2376", host.docker)
    if host.ssh_options:
        yield Problem(
            "store_host.ssh_options",
            "is for ssh, and cortex:store_host.docker is not",
            "leave it out",
            " ".join(host.ssh_options),
        )


def _leads_nowhere(address: str) -> bool:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address.lower().rstrip(".") == "localhost"
    return known.is_loopback or known.is_unspecified
