"""Rules that tie several settings together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra import embedding_models
from infra.settings import backup, store_host
from infra.settings.entry import Access, Gateway, Token
from infra.settings.models import Api, Corpus, Health, Registry, Settings
from infra.settings.problems import Problem
from infra.vocabulary import Role, Topology

# Beyond it a single Chroma gets slow to start and to restart: a warning, not an error.
MANY_COLLECTIONS = 100


def check(sections: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between settings that are each right by themselves.

    Args:
        sections: The sections that could be read, by key; a broken one is absent and its rules are not asked.
    """
    corpus, api = sections.get(Corpus.key), sections.get(Api.key)
    health, registry = sections.get(Health.key), sections.get(Registry.key)
    access = sections.get(Access.key)
    if corpus is not None:
        yield from _model_and_dimensions(corpus)
    if corpus is not None and api is not None:
        yield from _batch_and_body(corpus, api)
    if health is not None:
        yield from _probe_timing(health)
        yield from _rising(health)
    if health is not None and access is not None:
        yield from _ports(health, access)
    if api is not None and "topology" in sections:
        yield from _replicas(api, sections["topology"])
    if Gateway.key in sections:
        yield from _connections(sections[Gateway.key])
    if Token.key in sections:
        yield from _tokens(sections[Token.key], sections.get("topology"))
    if registry is not None:
        yield from _credentials(registry)
    if access is not None:
        yield from _address(access)
    yield from backup.check(sections)
    yield from store_host.check(sections)


def warnings(settings: Settings) -> Iterator[str]:
    """Yield advice on settings that work but should be thought over."""
    corpus, health, limits = settings.corpus, settings.health, settings.limits
    if corpus.collections > MANY_COLLECTIONS:
        yield (
            f"cortex:corpus.collections = {corpus.collections}: over {MANY_COLLECTIONS} collections a single Chroma "
            "gets slow to start and heavy; a metadata field that tells tenants apart needs one collection only"
        )
    peak_percent = 100 * 100 / (100 + limits.headroom_percent)
    if limits.memory_mib is None and health.memory_percent <= peak_percent:
        yield (
            f"cortex:health.memory_percent = {health.memory_percent}: the predicted peak takes {peak_percent:.0f} % of "
            f"the computed limit, so a full stack counts as unhealthy; raise it, or cortex:limits.headroom_percent"
        )
    registry = settings.registry
    if settings.store_host is not None and registry is not None and registry.address.startswith(("localhost", "127.")):
        yield (
            f"cortex:registry.address = {registry.address}: each of the two Docker hosts takes this for itself, so the "
            "other one finds nothing there, unless both are on one machine"
        )


def _model_and_dimensions(corpus: Corpus) -> Iterator[Problem]:
    model = embedding_models.KNOWN[corpus.model]
    if model.name == embedding_models.CUSTOM:
        if corpus.dimensions is None:
            yield Problem(
                "corpus.dimensions", "is needed with model custom", "give the length of your vectors, such as 768"
            )
    elif corpus.dimensions not in {None, model.dimensions}:
        yield Problem(
            "corpus.dimensions",
            f"does not fit model {model.name}, whose vectors have {model.dimensions}",
            f"leave it out, or set model to {embedding_models.CUSTOM}",
            str(corpus.dimensions),
        )


def _batch_and_body(corpus: Corpus, api: Api) -> Iterator[Problem]:
    model = embedding_models.KNOWN[corpus.model]
    if model.runs_locally:
        return  # texts come in, not vectors; their size is the client's choice
    dimensions = corpus.dimensions or model.dimensions
    # A float in JSON takes about 12 bytes.
    need = corpus.batch_rows * (12 * dimensions + corpus.document_bytes + corpus.metadata_bytes)
    if need > api.max_body_mib << 20:
        yield Problem(
            "corpus.batch_rows",
            f"makes requests of about {need >> 20} MiB, over cortex:api.max_body_mib ({api.max_body_mib})",
            f"set cortex:api.max_body_mib to {(need >> 20) + 1} or batch_rows to "
            f"{max(1, corpus.batch_rows * (api.max_body_mib << 20) // need)}",
            str(corpus.batch_rows),
        )


def _probe_timing(health: Health) -> Iterator[Problem]:
    if health.timeout_s > health.interval_s:
        yield Problem(
            "health.timeout_s",
            f"is longer than cortex:health.interval_s ({health.interval_s}), so checks would pile up",
            f"set it to {health.interval_s} or less",
            str(health.timeout_s),
        )


def _rising(health: Health) -> Iterator[Problem]:
    """An alert must come before the guard acts."""
    for key, alert in (("memory_recycle_percent", "memory_percent"), ("disk_stop_percent", "disk_percent")):
        acts, tells = getattr(health, key), getattr(health, alert)
        if acts <= tells:
            yield Problem(
                f"health.{key}",
                f"is not above cortex:health.{alert} ({tells}), so the guard would act before anyone is told",
                f"set it to {tells + 1} or more, or lower cortex:health.{alert}",
                str(acts),
            )


def _ports(health: Health, access: Access) -> Iterator[Problem]:
    if health.port is not None and health.port in {access.port, access.plain_port}:
        other = "port" if health.port == access.port else "plain_port"
        yield Problem(
            "health.port",
            f"is also cortex:access.{other}, and the guard's endpoints have no token",
            "set another one, or leave it out",
            str(health.port),
        )
    if access.plain_port is None:
        return
    if access.plain_port == access.port:
        yield Problem(
            "access.plain_port",
            "is also cortex:access.port, which has TLS",
            "set another one, or leave it out",
            str(access.plain_port),
        )
    if not access.address.is_loopback:
        yield Problem(
            "access.plain_port",
            f"would send tokens and data in clear over {access.address} (cortex:access.address)",
            "leave it out, or set cortex:access.address to 127.0.0.1",
            str(access.plain_port),
        )


def _replicas(api: Api, topology: Topology) -> Iterator[Problem]:
    if topology is Topology.SINGLE_NODE and api.replicas not in {None, 1}:
        yield Problem(
            "api.replicas",
            "does not fit topology single-node, where the API holds the store and is one process",
            f"leave it out, or set cortex:topology to {Topology.CLIENT_SERVER} (the data stays)",
            str(api.replicas),
        )


def _connections(gateway: Gateway) -> Iterator[Problem]:
    if gateway.connections_per_address > gateway.connections:
        yield Problem(
            "gateway.connections_per_address",
            f"is more than all callers together may have (cortex:gateway.connections, {gateway.connections})",
            f"set it to {gateway.connections} or less",
            str(gateway.connections_per_address),
        )


def _tokens(tokens: dict[str, Token], topology: Topology | None) -> Iterator[Problem]:
    if not any(token.role is Role.ADMIN and not token.reach for token in tokens.values()):
        yield Problem(
            "tokens",
            "has none with the role admin and without limits, so nobody could manage the stack",
            "add one: pulumi config set --path tokens.admin.role admin",
        )
    for name, token in tokens.items():
        if token.reach and topology is Topology.SINGLE_NODE:
            yield Problem(
                f"tokens.{name}.reach",
                "does not fit topology single-node, which has one tenant and database",
                f"leave it out, or set cortex:topology to {Topology.CLIENT_SERVER}",
                ", ".join(token.reach),
            )


def _credentials(registry: Registry) -> Iterator[Problem]:
    if (registry.username is None) != (registry.password is None):
        missing = "username" if registry.username is None else "password"
        yield Problem(
            f"registry.{missing}",
            "is missing: a registry takes both username and password, or neither",
            f"set cortex:registry.{missing}" + (" with --secret --path" if missing == "password" else ""),
        )


def _address(access: Access) -> Iterator[Problem]:
    if access.address.is_multicast:
        yield Problem(
            "access.address",
            "is a multicast address, which nothing can be published on",
            "use 127.0.0.1",
            str(access.address),
        )
