"""Every way a host or a limit can be too small, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from infra import feasibility, topologies
from infra.certificates import make_authority, sign_server
from infra.feasibility import SPARE_DISK_BYTES, Host
from infra.settings import load_settings
from infra.settings.problems import placed
from infra.sizing import Sizing, StackSizing
from infra.sizing.coefficients import GIB, MIB
from infra.vocabulary import Topology

ROOMY = Host(memory_bytes=1 << 50, free_disk_bytes=1 << 50, open_files_hard_limit=1 << 20)


def said(raw: dict[str, object], host: Host) -> list[str]:
    settings = load_settings(raw, "dev")
    return [str(problem) for problem in feasibility.problems(settings, topologies.sized(settings), host)]


def whole(raw: dict[str, object] | None = None) -> StackSizing:
    return topologies.sized(load_settings(raw or {}, "dev"))


def need(raw: dict[str, object] | None = None) -> Sizing:
    return whole(raw).store


def beside(raw: dict[str, object] | None = None) -> int:
    """Memory for all that runs beside the store on its host, bytes."""
    return whole(raw).beside_bytes + whole(raw).backup_bytes


def test_a_roomy_host_and_an_unknown_one_are_fine():
    assert said({}, ROOMY) == []
    assert said({}, Host()) == []


def test_exactly_enough_is_enough():
    for topology in Topology:
        raw = {"topology": topology.value}
        backups_bytes = whole(raw).backups.here_bytes
        limit_mib = need(raw).memory_limit_bytes // MIB
        disk_gib = need(raw).disk_bytes // GIB
        host = Host(
            memory_bytes=limit_mib * MIB + beside(raw),
            free_disk_bytes=disk_gib * GIB + backups_bytes + SPARE_DISK_BYTES,
            open_files_hard_limit=max(need(raw).open_files, whole(raw).gateway_open_files),
        )
        by_hand = {**raw, "limits": {"memory_mib": limit_mib, "disk_gib": disk_gib}}
        assert said(by_hand, host) == []
        assert said(raw, host) == []
        short = replace(host, memory_bytes=host.memory_bytes - 1)
        assert len(said(by_hand, short)) == len(said(raw, short)) == 1
        full = replace(host, free_disk_bytes=host.free_disk_bytes - 1)
        assert len(said(by_hand, full)) == len(said(raw, full)) == 1


def test_everything_that_runs_beside_the_store_must_fit_too():
    alone, raw = whole(), {"topology": "client-server", "api": {"replicas": 5}}
    assert alone.beside_bytes == alone.gateway_memory_bytes
    five = whole(raw)
    assert five.beside_bytes == five.gateway_memory_bytes + 5 * five.replica.memory_limit_bytes
    assert five.backup_bytes == five.archiver_memory_bytes + five.drill_memory_bytes > five.store.memory_limit_bytes
    limit_mib, beside_mib = five.store.memory_limit_bytes // MIB, beside(raw) // MIB
    assert said(raw, Host(memory_bytes=five.store.memory_limit_bytes)) == [
        f"cortex:corpus.vectors = 100000\n    needs {limit_mib:,} MiB of memory, {beside_mib:,} MiB more for what runs"
        f" beside it, and this host has {limit_mib:,} MiB; use a bigger host, or lower the sizing inputs under"
        " cortex:corpus"
    ]
    assert said({**raw, "api": {"replicas": 1}}, Host(memory_bytes=(limit_mib + beside_mib) * MIB)) == []


def test_backups_and_drills_are_counted_only_where_there_are_any():
    without = {"backup": {"target": "none"}}
    assert beside(without) == whole().gateway_memory_bytes
    host = Host(memory_bytes=need().memory_limit_bytes + beside(without))
    assert said(without, host) == []
    assert len(said({}, host)) == 1
    no_drills = {"backup": {"drill_schedule": "never"}}
    assert beside(no_drills) == beside(without) + whole().archiver_memory_bytes
    assert len(said(no_drills, host)) == 1


def test_a_memory_limit_below_the_need_says_by_how_much():
    limit_mib = need().memory_limit_bytes // MIB
    assert said({"limits": {"memory_mib": limit_mib - 100}}, ROOMY) == [
        f"cortex:limits.memory_mib = {limit_mib - 100}\n"
        f"    is 100 MiB below the computed need of {limit_mib:,} MiB (peak {need().memory_peak_bytes // MIB:,} MiB and"
        f" 25 % headroom); set {limit_mib} or more, leave it out, or lower the sizing inputs under cortex:corpus"
    ]
    assert len(said({"limits": {"memory_mib": limit_mib - 1}}, ROOMY)) == 1


def test_a_host_with_less_memory_than_the_limit():
    limit_mib, beside_mib = need().memory_limit_bytes // MIB, beside() // MIB
    assert said({}, Host(memory_bytes=256 * MIB)) == [
        f"cortex:corpus.vectors = 100000\n    needs {limit_mib:,} MiB of memory, {beside_mib:,} MiB more for what runs"
        " beside it, and this host has 256 MiB; use a bigger host, or lower the sizing inputs under cortex:corpus"
    ]
    by_hand = {"limits": {"memory_mib": 9_000}}
    by_hand_mib = beside(by_hand) // MIB
    assert by_hand_mib > 9_000  # a drill starts a server like the store's
    assert said(by_hand, Host(memory_bytes=9_000 * MIB)) == [
        f"cortex:limits.memory_mib = 9000\n    needs 9,000 MiB of memory, {by_hand_mib:,} MiB more for what runs beside"
        f" it, and this host has 9,000 MiB; lower it (the computed need is {limit_mib:,} MiB), or use a bigger host"
    ]


def test_a_volume_below_the_need_says_by_how_much():
    raw = {"corpus": {"vectors": 1_000_000}}
    disk_gib = need(raw).disk_bytes // GIB
    assert said({**raw, "limits": {"disk_gib": disk_gib - 3}}, ROOMY) == [
        f"cortex:limits.disk_gib = {disk_gib - 3}\n    is 3 GiB below the computed need of {disk_gib} GiB; "
        f"set {disk_gib} or more, leave it out, or lower the sizing inputs under cortex:corpus"
    ]


def test_a_full_disk_says_how_much_is_missing():
    disk_gib = need().disk_bytes // GIB
    (text,) = said({}, Host(free_disk_bytes=disk_gib * GIB))
    assert text == (
        f"cortex:corpus.vectors = 100000\n    plans a store of {disk_gib} GiB, and Docker's filesystem has"
        f" {disk_gib:.1f} GiB free: 2.0 GiB short (with 2 GiB to spare); free some space (docker"
        " system df shows what can go), or lower the sizing inputs under cortex:corpus"
    )
    (by_hand,) = said({"limits": {"disk_gib": 500}}, Host(free_disk_bytes=disk_gib * GIB))
    assert by_hand.startswith("cortex:limits.disk_gib = 500\n    plans a store of 500 GiB")


def test_what_the_store_holds_already_needs_no_more_room():
    stored_bytes, backup_bytes = need().disk_bytes, whole().backups.here_bytes
    held = Host(free_disk_bytes=SPARE_DISK_BYTES, stored_bytes=stored_bytes, backup_bytes=backup_bytes)
    assert said({}, held) == []
    assert len(said({}, replace(held, free_disk_bytes=SPARE_DISK_BYTES - 1))) == 1
    # What outgrew its plan does not eat up the room to spare.
    grown = replace(held, stored_bytes=2 * stored_bytes, backup_bytes=2 * backup_bytes)
    assert said({}, grown) == []
    assert len(said({}, replace(grown, free_disk_bytes=SPARE_DISK_BYTES - 1))) == 1
    # Nor is one's the other's.
    assert len(said({}, replace(held, stored_bytes=2 * stored_bytes, backup_bytes=backup_bytes - 1))) == 1
    assert len(said({}, replace(held, stored_bytes=stored_bytes - 1, backup_bytes=2 * backup_bytes))) == 1


def test_growth_beyond_what_one_store_holds():
    raw = {"corpus": {"vectors": 100_000, "growth_percent_per_month": 100, "horizon_months": 12}}
    assert said(raw, ROOMY) == [
        "cortex:corpus.growth_percent_per_month = 100\n    makes 409,600,000 vectors of 100,000 in 12 months, and one"
        " store holds 50,000,000 at most; lower it, or set a shorter horizon_months and size the stack again when it"
        " has passed"
    ]


def test_too_few_open_files():
    raw = {"corpus": {"collections": 10_000}}
    files = need(raw).open_files
    assert files > whole(raw).gateway_open_files
    assert said(raw, Host(open_files_hard_limit=files - 1)) == [
        f"cortex:corpus.collections = 10000\n    needs {files:,} open files, and this host grants {files - 1:,} at"
        " most; raise the hard limit of the Docker daemon (LimitNOFILE), or set fewer collections"
    ]


def test_too_few_open_files_for_the_gateway():
    files = whole({"gateway": {"connections": 100_000}}).gateway_open_files
    assert said({"gateway": {"connections": 100_000}}, Host(open_files_hard_limit=files - 1)) == [
        f"cortex:gateway.connections = 100000\n    needs {files:,} open files, and this host grants {files - 1:,} at"
        " most; raise the hard limit of the Docker daemon (LimitNOFILE), or set fewer connections"
    ]
    assert files > 100_000
    assert said({}, Host(open_files_hard_limit=files - 1)) == []


def test_a_port_in_use():
    assert said({}, Host(port_holders={"access.port": "container web"})) == [
        "cortex:access.port = 8443\n    is taken by container web; stop that, or set another port: "
        "pulumi config set --path access.port 8444"
    ]
    plain = said({"access": {"plain_port": 80}}, Host(port_holders={"access.plain_port": "another program"}))
    assert plain == [
        "cortex:access.plain_port = 80\n    is taken by another program; stop that, or set another port: "
        "pulumi config set --path access.plain_port 81"
    ]
    guards = said({"health": {"port": 9090}}, Host(port_holders={"health.port": "container web"}))
    assert guards == [
        "cortex:health.port = 9090\n    is taken by container web; stop that, or set another port: pulumi config set "
        "--path health.port 9091"
    ]
    (last,) = said({"access": {"port": 65_535}}, Host(port_holders={"access.port": "another program"}))
    assert last.endswith("pulumi config set --path access.port 8080")


def test_only_ports_that_are_published_are_looked_at():
    assert load_settings({}, "dev").published_ports == {"access.port": 8443}
    raw = {"access": {"plain_port": 80}, "health": {"port": 9090}}
    assert load_settings(raw, "dev").published_ports == {
        "access.port": 8443,
        "access.plain_port": 80,
        "health.port": 9090,
    }


def test_a_given_certificate_is_looked_at_and_never_repeated():
    now = datetime.now(UTC)
    authority = make_authority("x", now)
    good = sign_server(authority, ["localhost"], 10, now).bundle
    for given in (None, good):
        settings = load_settings({"tls": {"given": given} if given else {}}, "dev")
        assert list(feasibility.certificate_problems(settings, now)) == []
    settings = load_settings({"tls": {"given": good}}, "dev")
    (late,) = feasibility.certificate_problems(settings, now + timedelta(days=11))
    assert str(late).startswith("cortex:tls.given\n    has expired: certificate 1 was good until ")
    assert str(late).endswith(
        "; give certificate, chain and key as one PEM text: pulumi config set --path --secret tls.given < FILE"
    )
    wrong = authority.certificate + good.partition("-----BEGIN PRIVATE")[0]
    found = [
        str(problem)
        for problem in feasibility.certificate_problems(load_settings({"tls": {"given": wrong}}, "dev"), now)
    ]
    assert any("holds no private key" in text for text in found)
    assert len(found) > 1
    assert not any("MII" in text or "-----BEGIN CERT" in text for text in found)


def test_all_of_it_at_once_with_the_lines_it_was_set_on():
    settings = load_settings({"limits": {"memory_mib": 128, "disk_gib": 1}}, "dev")
    host = Host(
        memory_bytes=64 * MIB, free_disk_bytes=0, open_files_hard_limit=1, port_holders={"access.port": "container web"}
    )
    origins = {"limits": "Pulumi.dev.yaml:2", "limits.memory_mib": "Pulumi.dev.yaml:3"}
    found = placed(feasibility.problems(settings, topologies.sized(settings), host), origins)
    assert [(problem.path, problem.origin) for problem in found] == [
        ("limits.memory_mib", "Pulumi.dev.yaml:3"),
        ("limits.memory_mib", "Pulumi.dev.yaml:3"),
        ("limits.disk_gib", "Pulumi.dev.yaml:2"),
        ("limits.disk_gib", "Pulumi.dev.yaml:2"),
        ("corpus.collections", None),
        ("gateway.connections", None),
        ("access.port", None),
    ]
