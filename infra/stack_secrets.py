"""The secrets of a stack: made once by the program or given by the settings, whatever the platform."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pydantic import SecretStr

from infra.certificate_resources import CertificateAuthority, ServerCertificate
from infra.credentials import RandomWord
from infra.plan import AUTHORITY, AUTHORITY_KEY, CERTIFICATE, DOOR_CERTIFICATE, Certificate, Plan


@dataclass(frozen=True, slots=True)
class StackSecrets:
    """The secrets.

    Attributes:
        values: By the names that the plan uses, secret outputs.
        authority: Certificate of the authority that clients must trust, PEM; None when a certificate was given.
        ends: When the certificate ends, ISO 8601; None when it was given.
    """

    values: dict[str, pulumi.Output[str]]
    authority: pulumi.Output[str] | None
    ends: pulumi.Output[str] | None


def make(plan: Plan, given: SecretStr | None, opts: pulumi.ResourceOptions) -> StackSecrets:
    """Make or take what the plan names.

    Args:
        plan: The plan.
        given: The certificate of the settings, if there is one.
        opts: Options of the resources.
    """
    values = {word.key: RandomWord(word.name, word.generation, opts=opts).value for word in plan.words}
    if given is not None:
        values[CERTIFICATE] = pulumi.Output.secret(given.get_secret_value())
        if plan.far is None:
            return StackSecrets(values, None, None)
    authority = CertificateAuthority(plan.stack, 1, opts=opts)
    values[AUTHORITY] = authority.certificate
    values[AUTHORITY_KEY] = authority.key
    if plan.far is not None:
        values[DOOR_CERTIFICATE] = _signed(f"{plan.stack}-door", authority, plan.far.certificate, opts).bundle
    if given is not None:
        # Clients have nothing to do with the authority then.
        return StackSecrets(values, None, None)
    made = _signed(plan.stack, authority, plan.certificate, opts)
    values[CERTIFICATE] = made.bundle
    return StackSecrets(values, authority.certificate, made.not_after)


def _signed(
    name: str, authority: CertificateAuthority, wanted: Certificate, opts: pulumi.ResourceOptions
) -> ServerCertificate:
    return ServerCertificate(
        name, authority, names=wanted.names, days=wanted.days, generation=wanted.generation, opts=opts
    )
