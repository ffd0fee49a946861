"""The vendor's downloads, against a stand-in server: only what is whole and as published is used."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest
from release_server import Server, archive_of, publish

from tools import acquire, go_build
from tools.binaries import VENDOR, find
from tools.errors import OutOfReachError, RefusedError, ToolError
from tools.host import Host
from tools.locations import Locations
from tools.progress import Step
from tools.vendor import Vendor
from tools.versions import DOCKER, LITESTREAM, PULUMI, RCLONE, RESTIC, Tool


def nothing_left(where: Locations) -> bool:
    return not any(where.toolchain.glob("*")) if where.toolchain.exists() else True


def test_a_good_download_is_unpacked_and_found(vendor: Server, where: Locations, host: Host) -> None:
    publish(vendor, PULUMI, host, archive_of(PULUMI.binaries))
    folder = Vendor(where, host).fetch(PULUMI)
    assert {path.name for path in folder.iterdir()} == set(PULUMI.binaries)
    assert all(path.stat().st_mode & 0o111 for path in folder.iterdir())
    found = find(PULUMI, where, host)
    assert found is not None
    assert (found.source, found.folder) == (VENDOR, folder)
    assert not any(where.downloads.iterdir())  # the archive is not kept beside what came out of it


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(vendor: Server, where: Locations, host: Host) -> None:
    path = publish(vendor, DOCKER, host, archive_of(DOCKER.binaries), sum_of=b"something else")
    with pytest.raises(RefusedError, match=r"SHA-256 is [0-9a-f]{64}, the vendor published [0-9a-f]{64}") as refused:
        Vendor(where, host).fetch(DOCKER)
    assert path in str(refused.value)
    assert nothing_left(where)
    assert not any(where.downloads.iterdir())


def test_a_wrong_checksum_does_not_lead_to_a_build(
    vendor: Server, where: Locations, host: Host, monkeypatch: pytest.MonkeyPatch, bare_path: Path
) -> None:
    publish(vendor, DOCKER, host, archive_of(DOCKER.binaries), sum_of=b"something else")
    monkeypatch.setattr(go_build, "build_all", lambda *_: pytest.fail("built although the download was refused"))
    with pytest.raises(RefusedError):
        acquire.ensure([DOCKER], where, host, Step("tools"))


def test_a_list_without_the_file_is_refused(vendor: Server, where: Locations, host: Host) -> None:
    publish(vendor, DOCKER, host, archive_of(DOCKER.binaries))
    checksums = next(path for path in vendor.files if path.endswith("checksums.txt"))
    vendor.files[checksums] = b"0" * 64 + b"  other.tar.gz\n"
    with pytest.raises(RefusedError, match=r"does not name pulumi-resource-docker-v5\.1\.0-linux-amd64\.tar\.gz"):
        Vendor(where, host).fetch(DOCKER)
    assert nothing_left(where)


def test_a_broken_line_is_resumed_within_the_run(vendor: Server, where: Locations, host: Host) -> None:
    archive = archive_of(DOCKER.binaries)
    path = publish(vendor, DOCKER, host, archive)
    vendor.breaks_after[path] = [100, 20]
    Vendor(where, host).fetch(DOCKER)
    assert vendor.ranges == ["bytes=100-", "bytes=120-"]
    assert find(DOCKER, where, host) is not None


def test_a_download_that_stays_truncated_is_kept_and_resumed_by_the_next_run(
    vendor: Server, where: Locations, host: Host
) -> None:
    archive = archive_of(DOCKER.binaries)
    path = publish(vendor, DOCKER, host, archive)
    vendor.breaks_after[path] = [10, 10, 10]
    with pytest.raises(OutOfReachError, match="broke off 3 times"):
        Vendor(where, host).fetch(DOCKER)
    assert nothing_left(where)
    Vendor(where, host).fetch(DOCKER)
    assert vendor.ranges[-1] == "bytes=30-"
    assert find(DOCKER, where, host) is not None


def test_a_server_that_ignores_ranges_is_read_from_the_start(vendor: Server, where: Locations, host: Host) -> None:
    path = publish(vendor, DOCKER, host, archive_of(DOCKER.binaries))
    vendor.honours_range = False
    vendor.breaks_after[path] = [50]
    Vendor(where, host).fetch(DOCKER)
    assert find(DOCKER, where, host) is not None


def test_a_complete_partial_file_needs_no_second_download(vendor: Server, where: Locations, host: Host) -> None:
    archive = archive_of(DOCKER.binaries)
    path = publish(vendor, DOCKER, host, archive)
    where.downloads.mkdir(parents=True)
    (where.downloads / f"{path.rpartition('/')[2]}.partial").write_bytes(archive)
    Vendor(where, host).fetch(DOCKER)
    assert find(DOCKER, where, host) is not None


def test_an_archive_that_lacks_a_binary_is_refused(vendor: Server, where: Locations, host: Host) -> None:
    publish(vendor, PULUMI, host, archive_of(("pulumi",)))
    with pytest.raises(RefusedError, match="lacks pulumi-language-python"):
        Vendor(where, host).fetch(PULUMI)
    assert find(PULUMI, where, host) is None


@pytest.mark.parametrize("tool", [DOCKER, RESTIC], ids=["tar", "bz2"])
def test_what_is_no_archive_is_refused(tool: Tool, vendor: Server, where: Locations, host: Host) -> None:
    publish(vendor, tool, host, b"<html>please log in to the proxy</html>")
    with pytest.raises(RefusedError, match="cannot be unpacked"):
        Vendor(where, host).fetch(tool)
    assert find(tool, where, host) is None


def test_a_compressed_binary_is_unpacked(vendor: Server, where: Locations, host: Host) -> None:
    path = publish(vendor, RESTIC, host, bz2.compress(b"#!/bin/sh\necho restic\n"))
    assert path.endswith("_linux_amd64.bz2")
    binary = Vendor(where, host).fetch(RESTIC) / "restic"
    assert binary.read_bytes() == b"#!/bin/sh\necho restic\n"
    assert binary.stat().st_mode & 0o111


def test_a_compressed_binary_that_ends_too_early_is_refused(vendor: Server, where: Locations, host: Host) -> None:
    publish(vendor, RESTIC, host, bz2.compress(b"x" * 100_000)[:-10])
    with pytest.raises(RefusedError, match="cannot be unpacked"):
        Vendor(where, host).fetch(RESTIC)
    assert find(RESTIC, where, host) is None


@pytest.mark.parametrize(
    ("tool", "arch", "name"),
    [
        (LITESTREAM, "amd64", f"litestream-{LITESTREAM.version}-linux-x86_64.tar.gz"),
        (LITESTREAM, "arm64", f"litestream-{LITESTREAM.version}-linux-arm64.tar.gz"),
        (RESTIC, "arm64", f"restic_{RESTIC.version}_linux_arm64.bz2"),
    ],
)
def test_archives_are_asked_for_by_the_vendors_names(tool: Tool, arch: str, name: str) -> None:
    assert tool.release is not None
    archive, checksums = tool.release.for_host(Host("linux", arch), tool.version)
    assert archive.rpartition("/")[2] == name
    assert archive.rpartition("/")[0] == checksums.rpartition("/")[0]


def test_rclone_is_never_downloaded(vendor: Server, where: Locations, host: Host) -> None:
    with pytest.raises(OutOfReachError, match="not downloaded from the vendor"):
        Vendor(where, host).fetch(RCLONE)
    assert not vendor.requests


@pytest.fixture
def toolmakers(bare_path: Path) -> None:
    """A Go that only leaves the file it was asked for; what matters is that it is asked."""
    go = bare_path / "go"
    go.write_text('#!/bin/sh\nif [ "$1" = env ]; then echo go1.26.8; exit; fi\n'
                  'for last; do [ "$previous" = -o ] && out=$last; previous=$last; done\n'
                  '[ "$1" = build ] && echo built >"$out/pulumi-resource-docker"; exit 0\n')  # fmt: skip
    go.chmod(0o755)
    uv = bare_path / "uv"
    uv.write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o755)


@pytest.mark.usefixtures("toolmakers")
def test_a_release_that_the_vendor_lacks_is_built(vendor: Server, where: Locations, host: Host) -> None:
    found = acquire.ensure([DOCKER], where, host, Step("tools"))[DOCKER.name]
    assert found.source == "built here"
    assert found.file("pulumi-resource-docker").read_text() == "built\n"
    assert vendor.requests


@pytest.mark.usefixtures("toolmakers")
def test_without_a_vendor_it_is_built(where: Locations, host: Host) -> None:
    assert acquire.ensure([DOCKER], where, host, Step("tools"))[DOCKER.name].source == "built here"


def test_the_vendor_is_asked_only_for_what_is_not_there(vendor: Server, where: Locations, host: Host) -> None:
    publish(vendor, DOCKER, host, archive_of(DOCKER.binaries))
    acquire.ensure([DOCKER], where, host, Step("tools"))
    asked = len(vendor.requests)
    acquire.ensure([DOCKER], where, host, Step("tools"))
    assert len(vendor.requests) == asked


def test_a_server_that_hangs_up_at_once_does_not_answer(where: Locations, host: Host) -> None:
    with pytest.raises(OutOfReachError, match="does not answer"):
        Vendor(where, host, {"CORTEX_RELEASES_URL": "http://127.0.0.1:9"}).fetch(DOCKER)


def test_errors_are_one_family() -> None:
    assert issubclass(OutOfReachError, ToolError)
    assert issubclass(RefusedError, ToolError)
