"""Every way a host or a limit can be too small, and what is said about it."""

from __future__ import annotations

from infra import feasibility
from infra.feasibility import SPARE_DISK_BYTES, Host
from infra.settings import load_settings
from infra.settings.problems import placed
from infra.sizing.coefficients import GIB, MIB
from infra import topologies

ROOMY = Host(memory_bytes=1 << 50, free_disk_bytes=1 << 50, open_files_hard_limit=1 << 20)


def said(raw: dict[str, object], host: Host) -> list[str]:
    settings = load_settings(raw, "dev")
    return [str(problem) for problem in feasibility.problems(settings, topologies.sized(settings), host)]


def need(raw: dict[str, object] | None = None):
    return topologies.sized(load_settings(raw or {}, "dev"))


def test_a_roomy_host_and_an_unknown_one_are_fine():
    assert said({}, ROOMY) == []
    assert said({}, Host()) == []


def test_exactly_enough_is_enough():
    limit_mib = need().memory_limit_bytes // MIB
    disk_gib = need().disk_bytes // GIB
    host = Host(
        memory_bytes=limit_mib * MIB,
        free_disk_bytes=disk_gib * GIB + SPARE_DISK_BYTES,
        open_files_hard_limit=need().open_files,
    )
    assert said({"limits": {"memory_mib": limit_mib, "disk_gib": disk_gib}}, host) == []


def test_a_memory_limit_below_the_need_says_by_how_much():
    whole = need().memory_limit_bytes // MIB
    assert said({"limits": {"memory_mib": whole - 100}}, ROOMY) == [
        f"cortex:limits.memory_mib = {whole - 100}\n"
        f"    is 100 MiB below the computed need of {whole:,} MiB (peak {need().memory_peak_bytes // MIB:,} MiB and"
        f" 25 % headroom); set {whole} or more, leave it out, or lower the sizing inputs under cortex:corpus"
    ]
    assert len(said({"limits": {"memory_mib": whole - 1}}, ROOMY)) == 1


def test_a_host_with_less_memory_than_the_limit():
    whole = need().memory_limit_bytes // MIB
    assert said({}, Host(memory_bytes=256 * MIB)) == [
        f"cortex:corpus.vectors = 100000\n    needs {whole:,} MiB of memory, and this host has 256 MiB; "
        "use a bigger host, or lower the sizing inputs under cortex:corpus"
    ]
    assert said({"limits": {"memory_mib": 9_000}}, Host(memory_bytes=8_000 * MIB)) == [
        "cortex:limits.memory_mib = 9000\n    needs 9,000 MiB of memory, and this host has 8,000 MiB; "
        "lower it (the computed need is "
        f"{whole:,} MiB), or use a bigger host"
    ]


def test_a_volume_below_the_need_says_by_how_much():
    raw = {"corpus": {"vectors": 1_000_000}}
    whole = need(raw).disk_bytes // GIB
    assert said({**raw, "limits": {"disk_gib": whole - 3}}, ROOMY) == [
        f"cortex:limits.disk_gib = {whole - 3}\n    is 3 GiB below the computed need of {whole} GiB; "
        f"set {whole} or more, leave it out, or lower the sizing inputs under cortex:corpus"
    ]


def test_a_full_disk_says_how_much_is_missing():
    whole = need().disk_bytes // GIB
    (text,) = said({}, Host(free_disk_bytes=whole * GIB))
    assert text == (
        f"cortex:corpus.vectors = 100000\n    plans a store of {whole} GiB, and Docker's filesystem has {whole:.1f} GiB"
        " free: 2.0 GiB short (with 2 GiB to spare); free some space (docker system df shows what can go), or lower the"
        " sizing inputs under cortex:corpus"
    )
    (by_hand,) = said({"limits": {"disk_gib": 500}}, Host(free_disk_bytes=whole * GIB))
    assert by_hand.startswith("cortex:limits.disk_gib = 500\n    plans a store of 500 GiB")


def test_what_the_store_holds_already_needs_no_more_room():
    whole = need().disk_bytes // GIB
    assert said({}, Host(free_disk_bytes=SPARE_DISK_BYTES, stored_bytes=whole * GIB)) == []
    assert len(said({}, Host(free_disk_bytes=SPARE_DISK_BYTES - 1, stored_bytes=whole * GIB))) == 1
    # A store that outgrew its plan does not eat up the room to spare.
    assert len(said({}, Host(free_disk_bytes=SPARE_DISK_BYTES - 1, stored_bytes=2 * whole * GIB))) == 1


def test_growth_beyond_what_one_store_holds():
    raw = {"corpus": {"vectors": 100_000, "growth_percent_per_month": 100, "horizon_months": 12}}
    assert said(raw, ROOMY) == [
        "cortex:corpus.growth_percent_per_month = 100\n    makes 409,600,000 vectors of 100,000 in 12 months, and one"
        " store holds 50,000,000 at most; lower it, or set a shorter horizon_months and size the stack again when it"
        " has passed"
    ]


def test_too_few_open_files():
    files = need().open_files
    assert said({}, Host(open_files_hard_limit=files - 1)) == [
        f"cortex:corpus.collections = 20\n    needs {files:,} open files, and this host grants {files - 1:,} at most; "
        "raise the hard limit of the Docker daemon (LimitNOFILE), or set fewer collections"
    ]


def test_a_port_in_use():
    assert said({}, Host(port_holders={"access.port": "container web"})) == [
        "cortex:access.port = 8080\n    is taken by container web; stop that, or set another port: "
        "pulumi config set --path access.port 8081"
    ]
    guards = said({"health": {"port": 9090}}, Host(port_holders={"health.port": "container web"}))
    assert guards == [
        "cortex:health.port = 9090\n    is taken by container web; stop that, or set another port: pulumi config set "
        "--path health.port 9091"
    ]
    (last,) = said({"access": {"port": 65_535}}, Host(port_holders={"access.port": "another program"}))
    assert last.endswith("pulumi config set --path access.port 8080")


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
        ("access.port", None),
    ]
