"""What can be set about the stack's one door: where it is, its certificate, its tokens, what it allows."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from infra.gateway import pattern
from infra.settings.section import Number, Section
from infra.vocabulary import Role


def _as_text(value: Any) -> Any:
    """A bare number would be taken as seconds since 1970; a year was meant."""
    if not isinstance(value, str | datetime) or (isinstance(value, str) and "-" not in value[1:]):
        raise ValueError("is not a time")
    return value


def _zoned(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("has no time zone")
    return moment


def _in_a_path(reach: str) -> str:
    for name in reach.split("/"):
        pattern.spellings(name)
    return reach


def _generations(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if not numbers or len(set(numbers)) != len(numbers) or not all(1 <= each <= MOST_GENERATIONS for each in numbers):
        raise ValueError(f"must be one or more different whole numbers from 1 to {MOST_GENERATIONS:,}")
    return numbers


MOST_GENERATIONS = 1_000_000

Moment = Annotated[datetime, BeforeValidator(_as_text), AfterValidator(_zoned)]
Generations = Annotated[tuple[Number, ...], AfterValidator(_generations)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9*:][A-Za-z0-9.:-]{0,252}$")]
Reach = Annotated[str, Field(pattern=r"^[^/\s]+(/[^/\s]+)?$"), AfterValidator(_in_a_path)]

# Any `up` renews one when a third of its days is left, and the guard must not complain before: at 7 days.
LEAST_CERTIFICATE_DAYS = 21


class Access(Section):
    """Where the stack answers."""

    key: ClassVar[str] = "access"

    address: IPv4Address | IPv6Address = Field(
        IPv4Address("127.0.0.1"), description="Host address the gateway is published on", examples=["127.0.0.1"]
    )
    port: Number = Field(8443, ge=1, le=65_535, description="Host port of the gateway, with TLS")
    plain_port: Number | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Host port without TLS, on a loopback address only; unpublished when absent",
        examples=[8080],
    )


class Tls(Section):
    """The gateway's certificate."""

    key: ClassVar[str] = "tls"

    names: tuple[HostName, ...] = Field(
        (),
        description="Host names and addresses it is good for, beside localhost and access.address",
        examples=[["db.example.com"]],
    )
    days: Number = Field(
        180,
        ge=LEAST_CERTIFICATE_DAYS,
        le=825,
        description="How long one is good for; `up` renews it from 30 days before its end",
    )
    generation: Number = Field(1, ge=1, le=MOST_GENERATIONS, description="Raise it to have another one made")
    given: SecretStr | None = Field(
        None,
        min_length=1,
        description="PEM of certificate, chain and key, instead of one that the program makes; set it with --secret",
        examples=["(a secret)"],
    )


class Gateway(Section):
    """What the gateway allows, and how long it lets callers wait."""

    key: ClassVar[str] = "gateway"

    connections: Number = Field(1_000, ge=10, le=100_000, description="Open connections of all callers together")
    connections_per_address: Number = Field(
        500, ge=1, le=100_000, description="Open connections of one address; callers on the host share one"
    )
    requests_per_s_per_address: Number = Field(
        2_000, ge=1, le=1_000_000, description="Requests a second of one address; more get 429"
    )
    requests_per_s_per_token: Number = Field(
        1_000, ge=1, le=1_000_000, description="Requests a second of one token; more get 429"
    )
    queue: Number = Field(256, ge=1, le=10_000, description="Requests that may wait for a server; more get 503")
    queue_s: Number = Field(30, ge=1, le=600, description="Longest wait in that queue, seconds")
    restart_s: Number = Field(
        30, ge=1, le=600, description="How long callers wait for a server that is being restarted, seconds"
    )
    answer_s: Number = Field(
        300, ge=1, le=3_600, description="Longest wait for an answer; an index that is rebuilt answers late, seconds"
    )
    slots: Number = Field(
        4, ge=1, le=1_000, description="Requests that Chroma's server gets at once; the others wait in the queue"
    )
    credential_generations: Generations = Field(
        (1,),
        description="Of the credential between gateway and API: all are accepted, the first is used",
        examples=[[1]],
    )


class Token(Section):
    """An access token. Several words may be valid for it at once, so that one can be replaced without a gap."""

    key: ClassVar[str] = "tokens"

    role: Role = Field(description="What its holder may do", examples=["read"])
    generations: Generations = Field(
        (1,),
        description="Each number is a word of its own; add one, deploy, hand it out, then remove the old one",
        examples=[[1]],
    )
    expires: Moment | None = Field(
        None, description="When it ends, with time zone; never when absent", examples=["2027-01-31T00:00:00Z"]
    )
    reach: tuple[Reach, ...] = Field(
        (), description="Tenants, or tenant/database, it is limited to; all when empty", examples=[["acme/docs"]]
    )


TokenName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
