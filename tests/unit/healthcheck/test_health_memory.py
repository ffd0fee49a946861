"""Memory of the control group, on made-up trees of every kind and on this machine's real one."""

import os
from pathlib import Path

import pytest
from healthcheck.cgroup import cgroup_memory, memory_kills
from healthcheck.measure import memory

V1_UNLIMITED = 9223372036854771712
GIB = 1 << 30


class Machine:
    """A made-up /proc and control groups, below one directory."""

    def __init__(self, directory: Path) -> None:
        self.root = directory
        (directory / "proc" / "self").mkdir(parents=True)

    def see(self, cgroup: str, *mounts: str) -> None:
        (self.root / "proc/self/cgroup").write_text(cgroup)
        (self.root / "proc/self/mountinfo").write_text("".join(f"{mount}\n" for mount in mounts))

    def v1(self, group: str, usage: int, limit: int, inactive: int = 0, above: int = V1_UNLIMITED) -> None:
        self._write(
            f"sys/fs/cgroup/memory/{group}",
            {
                "memory.usage_in_bytes": f"{usage}\n",
                "memory.limit_in_bytes": f"{limit}\n",
                "memory.use_hierarchy": "1\n",
                "memory.stat": f"cache 5\ninactive_file 1\nhierarchical_memory_limit {min(limit, above)}\n"
                f"total_inactive_file {inactive}\n",
            },
        )

    def v2(self, group: str, current: int, limit: str, inactive: int = 0) -> None:
        self._write(
            f"sys/fs/cgroup/{group}",
            {
                "memory.current": f"{current}\n",
                "memory.max": f"{limit}\n",
                "memory.stat": f"anon 5\ninactive_file {inactive}\nactive_file 9\n",
            },
        )

    def _write(self, directory: str, files: dict[str, str]) -> None:
        (self.root / directory).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.root / directory / name).write_text(text)

    def measured(self) -> tuple[int, int] | None:
        found = cgroup_memory(f"{self.root}/proc", str(self.root))
        return None if found is None else (found.used_bytes, found.limit_bytes)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


V1_HOST = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory"
V1_CPU = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu"
V2_HOST = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"


def test_v1_on_the_host(machine: Machine) -> None:
    machine.see("4:memory:/service/one\n1:cpu:/\n0::/\n", V1_CPU, V1_HOST)
    machine.v1("", 9 * GIB, V1_UNLIMITED)
    machine.v1("service", 5 * GIB, V1_UNLIMITED)
    machine.v1("service/one", 3 * GIB, 4 * GIB, inactive=GIB)
    assert machine.measured() == (2 * GIB, 4 * GIB)


def test_v1_in_a_container_with_the_hosts_namespace(machine: Machine) -> None:
    identity = "f" * 64
    machine.see(
        f"4:cpuset,memory:/docker/{identity}\n",
        f"35 31 0:32 /docker/{identity} /sys/fs/cgroup/memory ro,nosuid master:9 - cgroup cgroup rw,memory",
    )
    machine.v1("", 700, 1000, inactive=100)
    assert machine.measured() == (600, 1000)


def test_v1_group_inside_of_a_container(machine: Machine) -> None:
    machine.see(
        "4:memory:/docker/abc/inner\n",
        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory",
    )
    machine.v1("", 10, 1000)
    machine.v1("inner", 700, 900)
    assert machine.measured() == (700, 900)


def test_v1_in_a_container_with_its_own_namespace(machine: Machine) -> None:
    machine.see("4:memory:/\n", V1_HOST)
    machine.v1("", 700, 1000, inactive=100)
    assert machine.measured() == (600, 1000)


def test_v1_limit_of_a_group_above_that_cannot_be_seen(machine: Machine) -> None:
    machine.see("4:memory:/\n", V1_HOST)
    machine.v1("", 700, V1_UNLIMITED, above=2000)
    assert machine.measured() == (700, 2000)


def test_v1_group_above_without_hierarchy_does_not_count(machine: Machine) -> None:
    machine.see("4:memory:/a/b\n", V1_HOST)
    machine.v1("", 9999, 10000)
    machine.v1("a", 999, 1000)
    machine.v1("a/b", 10, 1000)
    assert machine.measured() == (9999, 10000)
    (machine.root / "sys/fs/cgroup/memory/a/memory.use_hierarchy").write_text("0\n")
    assert machine.measured() == (999, 1000)


def test_hybrid_host_has_memory_in_v1(machine: Machine) -> None:
    machine.see(
        "4:memory:/one\n0::/one\n",
        V1_HOST,
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
    )
    machine.v1("one", 1, 2)
    assert machine.measured() == (1, 2)


def test_v2_on_the_host(machine: Machine) -> None:
    machine.see("0::/system.slice/one.service\n", V2_HOST)
    machine.v2("system.slice", 900, "max")
    machine.v2("system.slice/one.service", 700, "1000", inactive=200)
    assert machine.measured() == (500, 1000)


def test_v2_in_a_container_with_its_own_namespace(machine: Machine) -> None:
    machine.see("0::/\n", V2_HOST)
    machine.v2("", 700, "1000", inactive=200)
    assert machine.measured() == (500, 1000)


def test_v2_in_a_container_with_the_hosts_namespace(machine: Machine) -> None:
    machine.see("0::/docker/abc\n", V2_HOST)
    machine.v2("docker/abc", 700, "1000")
    assert machine.measured() == (700, 1000)


def test_v2_moved_out_of_its_namespace(machine: Machine) -> None:
    machine.see("0::/../other\n", "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw")
    machine.v2("", 700, "1000")
    machine._write("sys/fs/cgroup/other", {})
    assert machine.measured() == (700, 1000)


def test_v2_path_that_leads_out_of_the_mount(machine: Machine) -> None:
    machine.see("0::/../elsewhere\n", V2_HOST)
    machine.v2("", 700, "1000")
    machine.v2("../elsewhere", 9, "10")
    assert machine.measured() == (700, 1000)


def test_v2_nested_the_group_nearest_to_its_limit_counts(machine: Machine) -> None:
    machine.see("0::/pod/one\n", V2_HOST)
    machine.v2("pod", 1900, "2000")
    machine.v2("pod/one", 100, "1000")
    assert machine.measured() == (1900, 2000)
    machine.v2("pod/one", 990, "1000")
    assert machine.measured() == (990, 1000)


def test_v2_inner_group_without_a_limit_inherits(machine: Machine) -> None:
    machine.see("0::/pod/one\n", V2_HOST)
    machine.v2("pod", 1500, "2000", inactive=300)
    machine.v2("pod/one", 100, "max")
    assert machine.measured() == (1200, 2000)


def test_mount_points_with_blanks(machine: Machine) -> None:
    machine.see("0::/\n", "30 23 0:26 / /sys/fs/cgroup/with\\040blank rw - cgroup2 cgroup2 rw")
    machine.v2("with blank", 1, "2")
    assert machine.measured() == (1, 2)


def test_nothing_mounted_or_nothing_there(machine: Machine) -> None:
    assert machine.measured() is None
    machine.see("0::/\n")
    assert machine.measured() is None
    machine.see("0::/\n", V2_HOST, "garbage", "a - b")
    assert machine.measured() is None


def test_inactive_cache_larger_than_usage_is_not_negative(machine: Machine) -> None:
    machine.see("0::/\n", V2_HOST)
    machine.v2("", 100, "1000", inactive=200)
    assert machine.measured() == (0, 1000)


@pytest.mark.parametrize("limit", ["max", str(64 * GIB)])
def test_without_a_limit_that_binds_the_host_counts(machine: Machine, limit: str) -> None:
    machine.see("0::/\n", V2_HOST)
    machine.v2("", 100, limit)
    found = memory(f"{machine.root}/proc", str(machine.root), host=lambda: (3, 4), physical_bytes=16 * GIB)
    assert (found.used_bytes, found.limit_bytes, found.scope) == (3, 4, "host")


def test_host_by_psutil(machine: Machine) -> None:
    found = memory(f"{machine.root}/proc", str(machine.root))
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found.limit_bytes == pytest.approx(total, rel=0.01)
    assert 0 < found.used_bytes < total


@pytest.mark.parametrize(
    ("text", "kills"),
    [("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3), ("under_oom 0\n", None), ("oom_kill x\n", None)],
)
def test_kills_for_memory(machine: Machine, text: str, kills: int | None) -> None:
    machine.see("4:memory:/\n", V1_HOST)
    machine._write("sys/fs/cgroup/memory", {"memory.oom_control": text})
    assert memory_kills(f"{machine.root}/proc", str(machine.root)) == kills
    machine.see("0::/\n", V2_HOST)
    machine._write("sys/fs/cgroup", {"memory.events": f"low 0\noom 9\n{text}"})
    assert memory_kills(f"{machine.root}/proc", str(machine.root)) == kills


def test_kills_for_memory_without_control_groups(machine: Machine) -> None:
    assert memory_kills(f"{machine.root}/proc", str(machine.root)) is None


def real_memory_group() -> Path | None:
    """This process's group where memory is in v1 and its directory is visible as on a host; found by hand."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return Path("/sys/fs/cgroup/memory") / path.lstrip("/")
        if controllers == "" and Path("/sys/fs/cgroup/cgroup.controllers").exists():
            return Path("/sys/fs/cgroup") / path.lstrip("/")
    return None


def test_real_group_of_this_process() -> None:
    group = real_memory_group()
    found = memory()
    if group is None or not group.is_dir():
        assert found.limit_bytes > 0
        return
    statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    limit_file = next(file for name in ("memory.limit_in_bytes", "memory.max") if (file := group / name).exists())
    limit = limit_file.read_text().strip()
    limited = cgroup_memory()
    if limit == "max" or int(limit) > 1 << 60:
        assert limited is None or limited.group != str(group)
        return
    usage_file = group / ("memory.usage_in_bytes" if "total_inactive_file" in statistics else "memory.current")
    inactive = int(statistics.get("total_inactive_file", statistics["inactive_file"]))
    assert limited is not None
    assert limited.used_bytes == pytest.approx(int(usage_file.read_text()) - inactive, abs=64 << 20)


def measured_inside(group: Path) -> str:
    """This process moves into the group, fills 32 MiB, and compares with its own reading of the kernel's figures."""
    (group / "cgroup.procs").write_text(str(os.getpid()))
    block = bytearray(os.urandom(32 << 20))
    found = memory()
    kernel = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    independent = int(kernel["total_rss"]) + int(kernel["total_cache"]) - int(kernel["total_inactive_file"])
    return f"{found.scope} {found.limit_bytes} {found.used_bytes} {independent} {len(block)}"


@pytest.mark.parametrize("limit_bytes", [256 << 20])
def test_real_group_with_a_limit(limit_bytes: int) -> None:
    """A process in a group of its own on this machine; without the right to make one there is nothing to compare."""
    parent = real_memory_group()
    name = "memory.limit_in_bytes"
    if parent is None or not (parent / name).exists() or not os.access(parent, os.W_OK):
        assert memory().limit_bytes > 0
        return
    group = parent / f"cortex-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / name).write_text(str(limit_bytes))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writer, measured_inside(group).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            scope, limit, used, independent, block_bytes = answer.read().split()
        os.waitpid(child, 0)
    finally:
        group.rmdir()
    assert scope == "container"
    assert int(limit) == limit_bytes
    assert int(used) >= int(block_bytes)
    assert int(used) == pytest.approx(int(independent), abs=16 << 20)
