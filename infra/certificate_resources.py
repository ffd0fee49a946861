"""Certificates in the stack's state: the authority is made once, the server's is made anew before it ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi import dynamic

from infra.certificates import Authority, make_authority, renewal_is_due, sign_server


class AuthorityProvider(dynamic.ResourceProvider):
    """Makes an authority, and keeps it until its generation changes: clients trust it by its certificate."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the authority."""
        given = Authority(props.get("given_certificate") or "", props.get("given_key") or "")
        made = given if given.certificate and given.key else make_authority(props["name"], self.now())
        return dynamic.CreateResult(
            id_=f"{props['name']}-{props['generation']}",
            outs={
                "name": props["name"],
                "generation": props["generation"],
                "certificate": made.certificate,
                "key": made.key,
            },
        )

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Replace the authority when its generation changes; nothing else matters."""
        changed = _changed(("generation",), olds, news)
        return dynamic.DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=False)

    def now(self) -> datetime:
        """The moment that counts."""
        return datetime.now(UTC)


class CertificateAuthority(dynamic.Resource, module="cortex", name="CertificateAuthority"):
    """The stack's own authority: its certificate is what clients are given to trust.

    Attributes:
        certificate: PEM, public.
        key: PEM, a secret.
    """

    certificate: pulumi.Output[str]
    key: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        generation: int,
        opts: pulumi.ResourceOptions | None = None,
        *,
        given: tuple[pulumi.Output[str], pulumi.Output[str]] | None = None,
    ) -> None:
        """Declare it.

        Args:
            name: Of the stack.
            generation: Another one is another authority.
            opts: Of the resource.
            given: Certificate and key to take when it is made, from the backup of a stack that is rebuilt; made if they
                are empty.
        """
        again = {"given_certificate": given[0], "given_key": given[1]} if given is not None else {}
        super().__init__(
            AuthorityProvider(),
            f"authority-{name}",
            {"name": name, "generation": generation, "certificate": None, "key": None, **again},
            pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=["key"]), opts),
        )


class ServerCertificateProvider(dynamic.ResourceProvider):
    """Signs a server's certificate, and another one when anything about it changes or it is about to end."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make key and certificate."""
        authority = Authority(props["authority_certificate"], props["authority_key"])
        signed = sign_server(authority, props["names"], int(props["days"]), self.now())
        # The authority's key is an input only: one copy of it less in the state.
        kept = {key: props[key] for key in ("authority_certificate", "names", "days", "generation")}
        outs = {**kept, "bundle": signed.bundle, "not_after": signed.not_after.isoformat()}
        return dynamic.CreateResult(id_=f"{signed.serial:x}", outs=outs)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Replace the certificate when what it says changes, or when it is due for renewal."""
        replaces = _changed(("authority_certificate", "names", "days", "generation"), olds, news)
        if renewal_is_due(datetime.fromisoformat(olds["not_after"]), int(olds["days"]), self.now()):
            replaces.append("not_after")
        # The new one is in use before the old one goes.
        return dynamic.DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=False)

    def now(self) -> datetime:
        """The moment that counts."""
        return datetime.now(UTC)


class ServerCertificate(dynamic.Resource, module="cortex", name="ServerCertificate"):
    """A server's certificate, signed by the stack's own authority; any `up` renews one that is about to end.

    Attributes:
        bundle: PEM of the certificate, then of its key; a secret.
        not_after: Its last moment, ISO 8601 in UTC.
    """

    bundle: pulumi.Output[str]
    not_after: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        authority: CertificateAuthority,
        *,
        names: Sequence[str],
        days: int,
        generation: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it.

        Args:
            name: Of the server, within the stack.
            authority: Who signs.
            names: Host names and addresses it is good for.
            days: How long one is good for.
            generation: Another one is another certificate, with another key.
            opts: Of the resource.
        """
        super().__init__(
            ServerCertificateProvider(),
            f"certificate-{name}",
            {
                "authority_certificate": authority.certificate,
                "authority_key": pulumi.Output.secret(authority.key),
                "names": list(names),
                "days": days,
                "generation": generation,
                "bundle": None,
                "not_after": None,
            },
            pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=["bundle"]), opts),
        )


def _changed(keys: Sequence[str], olds: dict[str, Any], news: dict[str, Any]) -> list[str]:
    return [key for key in keys if olds.get(key) != news.get(key)]
