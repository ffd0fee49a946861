"""The gateway's container, its files, and what they are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from infra import names
from infra.gateway import configuration, files, guarded, memory, sockets
from infra.gateway.gateway import FOLDER, ClientServer, Doors, Far, Guard, Replicas, Server, SingleNode
from infra.gateway.gateway import Gateway as Rendered
from infra.gateway.limits import Allowance, Patience
from infra.gateway.tokens import GatewayToken, Reach, hashed
from infra.plan import (
    AUTHORITY,
    AUTHORITY_KEY,
    CERTIFICATE,
    Certificate,
    Container,
    FileVolume,
    Network,
    Port,
    Resources,
    Token,
    Word,
)
from infra.settings import Settings
from infra.sizing import with_headroom
from infra.sizing.coefficients import MIB
from infra.topologies import guarding, inner
from infra.topologies.parts import (
    API,
    API_PORT,
    CHROMA,
    CHROMA_PORT,
    GATEWAY,
    GUARD_PORT,
    health_check,
    open_files,
)
from infra.vocabulary import Purpose, Topology

PLAIN_PORT = 8444
CPUS = 2.0
STARTUP_S = 30
# Requests that run while the gateway itself is replaced.
STOP_GRACE_S = 20
# Beyond the longest answer, when an old process goes.
DRAIN_MARGIN_S = 30
ALWAYS_NAMES = ("localhost", "127.0.0.1", "::1")


def rendered(stack: str, settings: Settings) -> Rendered:
    """What the configuration is made from."""
    api, asked = settings.api, settings.gateway
    if settings.topology is Topology.CLIENT_SERVER:
        far = settings.store_host
        # On another host one door leads to both.
        host, port, guard_port = (far.address, far.port, far.port) if far else (CHROMA, CHROMA_PORT, GUARD_PORT)
        topology: SingleNode | ClientServer = ClientServer(
            api=Replicas(API, API_PORT, slots=api.max_concurrent_requests, queue=asked.queue),
            chroma=Server(host, port, slots=asked.slots, queue=asked.queue),
            guard=Guard(host, guard_port),
            far=Far(door_name(stack)) if far else None,
        )
    else:
        topology = SingleNode(
            api=Server(API, API_PORT, slots=api.max_concurrent_requests, queue=asked.queue),
            guard=Guard(API, GUARD_PORT),
        )
    return Rendered(
        topology=topology,
        stack=stack,
        doors=Doors(plain_port=PLAIN_PORT if settings.access.plain_port else None),
        allowance=replace(
            allowance(settings),
            connections=asked.connections,
            connections_per_address=asked.connections_per_address,
            requests_per_s_per_address=asked.requests_per_s_per_address,
            requests_per_s_per_token=asked.requests_per_s_per_token,
        ),
        patience=patience(settings),
    )


def door_name(stack: str) -> str:
    """The name that the certificate of a store's own host is good for, beside its address."""
    return f"store.{stack}.{names.PROJECT}.internal"


def allowance(settings: Settings) -> Allowance:
    """What one request may take, whichever door it comes to."""
    usual = Allowance()
    return replace(usual, body_bytes=max(usual.body_bytes, settings.api.max_body_mib * MIB))


def patience(settings: Settings) -> Patience:
    """How long requests wait, whichever door they come to."""
    asked = settings.gateway
    return replace(
        Patience(),
        queue_s=asked.queue_s,
        restart_s=asked.restart_s,
        answer_s=asked.answer_s,
        drain_s=asked.answer_s + DRAIN_MARGIN_S,
    )


def memory_limit_bytes(settings: Settings, headroom_percent: int) -> int:
    """The container's memory limit, whole MiB."""
    return with_headroom(memory.memory_bytes(rendered("", settings)), headroom_percent)


def needed_open_files(settings: Settings) -> int:
    """Descriptors that the container needs."""
    return sockets.open_files(rendered("", settings))


def container(
    stack: str, settings: Settings, limit_bytes: int, networks: tuple[Network, ...], hard_limit: int | None
) -> Container:
    """The one container that is published.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        limit_bytes: Its memory limit.
        networks: All networks of the stack on its host.
        hard_limit: Descriptors a container can be given.
    """
    made = rendered(stack, settings)
    return Container(
        name=GATEWAY,
        image="gateway",
        environment={
            **guarding.of_any(
                settings, url=guarded.environment(made)["HEALTH_URL"], startup_s=STARTUP_S, stop_grace_s=STOP_GRACE_S
            ),
            **guarded.environment(made),
        },
        resources=Resources(
            memory_limit_bytes=limit_bytes,
            memory_reservation_bytes=memory.BASE_BYTES,
            cpus=CPUS,
            open_files=open_files(needed_open_files(settings), hard_limit),
        ),
        stop_grace_s=STOP_GRACE_S,
        health=health_check(settings, STARTUP_S),
        networks=tuple(network.name for network in networks),
        files=_files(stack, settings),
        ports=_ports(settings, made.doors),
    )


def _ports(settings: Settings, doors: Doors) -> tuple[Port, ...]:
    access = settings.access
    wanted = (
        (Purpose.TLS, doors.tls_port, access.port),
        (Purpose.PLAIN, PLAIN_PORT, access.plain_port),
        (Purpose.METRICS, doors.metrics_port, settings.health.port),
    )
    return tuple(
        Port(purpose, inside, str(access.address), outside)
        for purpose, inside, outside in wanted
        if outside is not None
    )


def tokens(settings: Settings) -> tuple[Token, ...]:
    """The access tokens."""
    return tuple(
        Token(name, token.role, tuple(word.key for word in _words(name, token.generations)))
        for name, token in settings.tokens.items()
    )


def words(settings: Settings) -> tuple[Word, ...]:
    """Every random word: of the tokens, and between the parts."""
    return (*_token_words(settings), *inner.words(settings))


def _token_words(settings: Settings) -> tuple[Word, ...]:
    return tuple(word for name, token in settings.tokens.items() for word in _words(name, token.generations))


def lasting(settings: Settings) -> tuple[str, ...]:
    """Names of the secrets that callers rely on: a stack that is rebuilt must have them again."""
    own_authority = settings.tls.given is None or settings.store_host is not None
    return (*(word.key for word in _token_words(settings)), *((AUTHORITY, AUTHORITY_KEY) if own_authority else ()))


def certificate(settings: Settings) -> Certificate:
    """The certificate: for this host's own names, and those of the settings."""
    tls, address = settings.tls, settings.access.address
    own = () if address.is_unspecified else (str(address),)
    return Certificate(
        names=tuple(dict.fromkeys((*ALWAYS_NAMES, *own, *tls.names))),
        days=tls.days,
        generation=tls.generation,
        given=tls.given is not None,
    )


def _words(name: str, generations: tuple[int, ...]) -> tuple[Word, ...]:
    # A prefix of its own, so that no token's name is one of the program's.
    return tuple(Word(f"token-{name}", generation) for generation in generations)


def _files(stack: str, settings: Settings) -> FileVolume:
    made = rendered(stack, settings)
    named = tokens(settings)
    shown, *others = (word.key for word in inner.words(settings))
    public = configuration.public_files(made)
    secret = [files.TOKENS, files.REACHES, files.INNER_CREDENTIAL, files.CERTIFICATE]
    if made.has_chroma:
        secret.append(files.INNER_HASHES)
    if made.far:
        secret.append(files.AUTHORITY)

    def content(secrets: Mapping[str, str]) -> Mapping[str, str]:
        let_in = [
            GatewayToken(
                token.name,
                token.role,
                hashed(secrets[key]),
                settings.tokens[token.name].expires,
                tuple(_reach(each) for each in settings.tokens[token.name].reach),
            )
            for token in named
            for key in token.words
        ]
        former = [secrets[key] for key in others]
        hidden = configuration.secret_files(
            made,
            let_in,
            secrets[shown],
            secrets[CERTIFICATE],
            former_credentials=former,
            authority=secrets[AUTHORITY] if made.far else None,
        )
        return {**public, **hidden}

    keys = (*(word.key for word in words(settings)), CERTIFICATE, *((AUTHORITY,) if made.far else ()))
    return FileVolume("gateway-files", str(FOLDER), (*public, *secret), keys, content)


def _reach(text: str) -> Reach:
    tenant, _, database = text.partition("/")
    return Reach(tenant, database or None)
