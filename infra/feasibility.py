"""Whether a plan can run on a host: limits set by hand against the need, the need against what the host has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from infra import given_certificate
from infra.settings import Problem, Settings
from infra.settings.models import MOST_VECTORS
from infra.sizing import BackupSizing, Sizing, StackSizing, kept_days
from infra.sizing.coefficients import GIB, MIB

# Room for an image build and its layers while a container starts; below it the host counts as full.
SPARE_DISK_BYTES = 2 * GIB
LOWER = "lower the sizing inputs under cortex:corpus"


@dataclass(frozen=True, slots=True)
class Host:
    """What a Docker host has. None where it cannot be known from here (a remote daemon, Docker Desktop's own machine).

    Attributes:
        memory_bytes: Memory of the host.
        free_disk_bytes: Free space where Docker keeps its volumes.
        stored_bytes: What the stack's store volume holds already.
        backup_bytes: What its volumes of backups hold already.
        open_files_hard_limit: Most descriptors a container can be given.
        port_holders: Who has a port of the stack, other than the stack itself, by the setting that names the port.
        daemon: What tells its Docker daemon from others.
        has_store: Whether it has the stack's store volume.
        containers: Docker's ids of the stack's containers there.
    """

    memory_bytes: int | None = None
    free_disk_bytes: int | None = None
    stored_bytes: int = 0
    backup_bytes: int | None = None
    open_files_hard_limit: int | None = None
    port_holders: Mapping[str, str] = field(default_factory=dict)
    daemon: str | None = None
    has_store: bool | None = None
    containers: frozenset[str] = frozenset()


def problems(
    settings: Settings, stack_need: StackSizing, host: Host, store_host: Host | None = None
) -> Iterator[Problem]:
    """Yield what keeps the stack from running as it was set.

    Args:
        settings: The stack's settings.
        stack_need: What its corpus needs.
        host: What the host has.
        store_host: What the store's own host has, if the settings name one.
    """
    need = stack_need.store
    if need.corpus.vectors > MOST_VECTORS:
        corpus = settings.corpus
        yield Problem(
            "corpus.growth_percent_per_month",
            f"makes {need.corpus.vectors:,} vectors of {corpus.vectors:,} in {corpus.horizon_months} months, and one"
            f" store holds {MOST_VECTORS:,} at most",
            "lower it, or set a shorter horizon_months and size the stack again when it has passed",
            f"{corpus.growth_percent_per_month:g}",
        )
    of_store = store_host or host
    beside_bytes = stack_need.door_memory_bytes if store_host else stack_need.beside_bytes
    beside_bytes += stack_need.backup_bytes
    yield from _memory(settings, need, beside_bytes, of_store)
    yield from _disk(settings, stack_need, of_store)
    yield from _open_files(settings, stack_need, host, of_store)
    if store_host is not None:
        yield from _two_hosts(settings, stack_need, host, store_host)
    ports = settings.published_ports | settings.far_ports
    for setting, holder in {**host.port_holders, **of_store.port_holders}.items():
        port = ports[setting]
        yield Problem(
            setting,
            f"is taken by {holder}",
            f"stop that, or set another port: pulumi config set --path {setting} {port + 1 if port < 65_535 else 8080}",
            str(port),
        )


def warnings(settings: Settings, stack_need: StackSizing, host: Host, store_host: Host | None = None) -> Iterator[str]:
    """Yield what fits now and will not in some days; arguments as of `problems`."""
    of_store, backups = store_host or host, stack_need.backups
    if backups is None or of_store.free_disk_bytes is None or not backups.later_bytes or _has_unseen(of_store):
        return
    disk_bytes = settings.limits.disk_bytes or stack_need.store.disk_bytes
    here_bytes = max(0, backups.here_bytes + backups.later_bytes - (of_store.backup_bytes or 0))
    missing = max(0, disk_bytes - of_store.stored_bytes) + here_bytes + SPARE_DISK_BYTES - of_store.free_disk_bytes
    if missing > 0:
        days = settings.backup.archive_days
        yield (
            f"cortex:backup.archive_days = {days}: within {kept_days(days)} days the archive grows by up to"
            f" {backups.later_bytes / GIB:,.1f} GiB in its volume, and Docker's filesystem is"
            f" {missing / GIB:,.1f} GiB short of that; set fewer, or another cortex:backup.target, such as s3"
        )


def certificate_problems(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Yield what is wrong with a certificate that was given, at a moment."""
    host = settings.store_host
    if host is not None and host.client_certificate is not None and host.client_key is not None:
        shown = host.client_certificate.get_secret_value() + "\n" + host.client_key.get_secret_value()
        for problem in given_certificate.check_given(shown, now):
            yield Problem(
                "store_host.client_certificate",
                problem,
                "give the one that the Docker daemon's authority signed, and its key in cortex:store_host.client_key",
            )
    if settings.tls.given is None:
        return
    for problem in given_certificate.check_given(settings.tls.given.get_secret_value(), now):
        yield Problem(
            "tls.given",
            problem,
            "give certificate, chain and key as one PEM text: pulumi config set --path --secret tls.given < FILE",
        )


def _two_hosts(settings: Settings, need: StackSizing, host: Host, store_host: Host) -> Iterator[Problem]:
    docker = settings.store_host.docker if settings.store_host else None
    if host.daemon is not None and host.daemon == store_host.daemon:
        yield Problem(
            "store_host.docker",
            "is the Docker daemon that the gateway runs on as well",
            "leave cortex:store_host out, or name another host",
            docker,
        )
    if host.memory_bytes is not None and need.beside_bytes > host.memory_bytes:
        yield Problem(
            "api.replicas",
            f"needs {need.beside_bytes // MIB:,} MiB of memory for the replicas and the gateway, and this host has"
            f" {host.memory_bytes // MIB:,} MiB",
            "set fewer, or use a bigger host",
            str(need.replicas),
        )
    granted = store_host.open_files_hard_limit
    if granted is not None and need.door_open_files > granted:
        yield Problem(
            "store_host.docker",
            f"needs {need.door_open_files:,} open files for the door, and {granted:,} are granted there at most",
            "raise the hard limit of that Docker daemon (LimitNOFILE)",
            docker,
        )


def _named(settings: Settings) -> str:
    """The store's host in a sentence."""
    return f"its host ({settings.store_host.docker})" if settings.store_host else "this host"


def _open_files(settings: Settings, need: StackSizing, host: Host, of_store: Host) -> Iterator[Problem]:
    store_grants, grants = of_store.open_files_hard_limit, host.open_files_hard_limit
    wanted = (
        (
            "corpus.collections",
            need.store.open_files,
            "collections",
            settings.corpus.collections,
            store_grants,
            _named(settings),
        ),
        (
            "gateway.connections",
            need.gateway_open_files,
            "connections",
            settings.gateway.connections,
            grants,
            "this host",
        ),
    )
    for path, files, fewer, value, granted, where in wanted:
        if granted is not None and files > granted:
            yield Problem(
                path,
                f"needs {files:,} open files, and {where} grants {granted:,} at most",
                f"raise the hard limit of the Docker daemon (LimitNOFILE), or set fewer {fewer}",
                str(value),
            )


def _memory(settings: Settings, need: Sizing, beside_bytes: int, host: Host) -> Iterator[Problem]:
    by_hand = settings.limits.memory_mib
    limit_bytes = settings.limits.memory_bytes or need.memory_limit_bytes
    if limit_bytes < need.memory_limit_bytes:
        short = need.memory_limit_bytes - limit_bytes
        yield Problem(
            "limits.memory_mib",
            f"is {short // MIB:,} MiB below the computed need of {need.memory_limit_bytes // MIB:,} MiB"
            f" (peak {need.memory_peak_bytes // MIB:,} MiB and {need.headroom_percent} % headroom)",
            f"set {need.memory_limit_bytes // MIB} or more, leave it out, or {LOWER}",
            str(by_hand),
        )
    if host.memory_bytes is not None and limit_bytes + beside_bytes > host.memory_bytes:
        yield Problem(
            "limits.memory_mib" if by_hand else "corpus.vectors",
            f"needs {limit_bytes // MIB:,} MiB of memory, {beside_bytes // MIB:,} MiB more for what runs beside it,"
            f" and {_named(settings)} has {host.memory_bytes // MIB:,} MiB",
            f"lower it (the computed need is {need.memory_limit_bytes // MIB:,} MiB), or use a bigger host"
            if by_hand
            else f"use a bigger host, or {LOWER}",
            str(by_hand or settings.corpus.vectors),
        )


def _disk(settings: Settings, stack_need: StackSizing, host: Host) -> Iterator[Problem]:
    need = stack_need.store
    by_hand = settings.limits.disk_gib
    disk_bytes = settings.limits.disk_bytes or need.disk_bytes
    if disk_bytes < need.disk_bytes:
        short = need.disk_bytes - disk_bytes
        yield Problem(
            "limits.disk_gib",
            f"is {short // GIB:,} GiB below the computed need of {need.disk_bytes // GIB:,} GiB",
            f"set {need.disk_bytes // GIB} or more, leave it out, or {LOWER}",
            str(by_hand),
        )
    if host.free_disk_bytes is None:
        return
    where = f" on {_named(settings)}" if settings.store_host else ""
    missing = max(0, disk_bytes - host.stored_bytes) + SPARE_DISK_BYTES - host.free_disk_bytes
    backups = stack_need.backups
    if backups is not None and missing <= 0 and not _has_unseen(host):
        yield from _disk_of_backups(settings, backups, host, missing, where)
    if missing > 0:
        yield Problem(
            "limits.disk_gib" if by_hand else "corpus.vectors",
            f"plans a store of {disk_bytes / GIB:,.0f} GiB, and Docker's filesystem{where} has"
            f" {host.free_disk_bytes / GIB:,.1f} GiB free: {missing / GIB:,.1f} GiB short"
            f" (with {SPARE_DISK_BYTES // GIB} GiB to spare)",
            f"free some space (docker system df shows what can go), or {LOWER}",
            str(by_hand or settings.corpus.vectors),
        )


def _has_unseen(host: Host) -> bool:
    """Whether there are backups already, and nobody knows how large: what they need more cannot be told then."""
    return bool(host.has_store) and host.backup_bytes is None


def _disk_of_backups(
    settings: Settings, need: BackupSizing, host: Host, missing_without: int, where: str
) -> Iterator[Problem]:
    """What is told only if there is room for the store itself."""
    missing = missing_without + max(0, need.here_bytes - (host.backup_bytes or 0))
    if missing <= 0 or host.free_disk_bytes is None:
        return
    places = (*(need.target_terms if need.target_here else ()), *need.lasting_terms, *need.passing_terms)
    shown = ", ".join(f"{term.name} {term.amount_bytes / GIB:,.1f}" for term in places)
    ways = (
        *(("set another cortex:backup.target, such as s3",) if need.target_here else ()),
        *(("set cortex:backup.drill_schedule never",) if len(need.passing_terms) > 1 else ()),
        "set a smaller cortex:backup.staging_mib",
        "free some space (docker system df shows what can go)",
    )
    yield Problem(
        "backup.target",
        f"plans {need.here_bytes / GIB:,.1f} GiB beside the store ({shown} GiB; {need.shared_bytes / GIB:,.1f} GiB of"
        f" it within the store's room to compact), and Docker's filesystem{where} has"
        f" {host.free_disk_bytes / GIB:,.1f} GiB free: {missing / GIB:,.1f} GiB short (with the store, and"
        f" {SPARE_DISK_BYTES // GIB} GiB to spare)",
        f"{', '.join(ways[:-1])}, or {ways[-1]}",
        settings.backup.target.value,
    )
