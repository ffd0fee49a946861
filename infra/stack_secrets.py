"""The secrets of a stack: made once by the program or given by the settings, whatever the platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pulumi
from pydantic import SecretStr

from infra.certificate_resources import CertificateAuthority, ServerCertificate
from infra.credentials import RandomWord
from infra.plan import AUTHORITY, AUTHORITY_KEY, CERTIFICATE, DOOR_CERTIFICATE, Certificate, Plan, Word


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


def make(
    plan: Plan,
    given: SecretStr | None,
    opts: pulumi.ResourceOptions,
    recover: Callable[[Mapping[str, pulumi.Output[str]]], pulumi.Output[dict[str, str]]] | None = None,
) -> StackSecrets:
    """Make or take what the plan names.

    Args:
        plan: The plan.
        given: The certificate of the settings, if there is one.
        opts: Options of the resources.
        recover: What a stack that is rebuilt (`Plan.restore`) had before, by name: called with what opens the backup.
    """
    opening = plan.restore.secrets if plan.restore else ()
    values = {word.key: _word(word, opts) for word in plan.words if word.key in opening}
    recovered = recover(values) if recover else None

    def again(name: str) -> pulumi.Output[str] | None:
        if recovered is None:
            return None
        value: pulumi.Output[str] = recovered.apply(lambda had: had.get(name, ""))
        return pulumi.Output.secret(value)

    values |= {word.key: _word(word, opts, again(word.key)) for word in plan.words if word.key not in opening}
    if given is not None:
        values[CERTIFICATE] = pulumi.Output.secret(given.get_secret_value())
        if plan.far is None:
            return StackSecrets(values, None, None)
    had = again(AUTHORITY), again(AUTHORITY_KEY)
    authority = CertificateAuthority(
        plan.stack, 1, opts=opts, given=(had[0], had[1]) if had[0] is not None and had[1] is not None else None
    )
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


def _word(word: Word, opts: pulumi.ResourceOptions, given: pulumi.Output[str] | None = None) -> pulumi.Output[str]:
    # Nothing else holds it: what is protected stays in the state when the stack is removed.
    kept = pulumi.ResourceOptions(protect=True) if word.outlives else None
    return RandomWord(word.name, word.generation, opts=pulumi.ResourceOptions.merge(opts, kept), given=given).value


def _signed(
    name: str, authority: CertificateAuthority, wanted: Certificate, opts: pulumi.ResourceOptions
) -> ServerCertificate:
    return ServerCertificate(
        name, authority, names=wanted.names, days=wanted.days, generation=wanted.generation, opts=opts
    )
