"""The machine's own parts: engine, builder, Go, OS image, and what the doctor says of them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from rich.console import Console

from tools import docker_engine, doctor, go_toolchain, image_builder, os_image
from tools.errors import ToolError
from tools.host import Host, this_host
from tools.locations import Locations
from tools.oci_layout import ImageConfig, LayoutWriter, read_digests
from tools.progress import Progress, Step, seconds


def command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


ANSWERING = 'case "$1" in info) printf "20.10.24\\t/var/lib/docker\\taarch64\\n" ;; *) exit 1 ;; esac'
AWAY = 'case "$1" in info) printf "\\t\\t\\n" ;; *) exit 1 ;; esac'


def test_an_answering_daemon_is_used(where: Locations, bare_path: Path) -> None:
    command(bare_path, "docker", ANSWERING)
    assert docker_engine.ensure(where, Step("engine")).version == "20.10.24"


def test_containers_run_on_linux_and_the_daemons_processor(where: Locations, bare_path: Path) -> None:
    command(bare_path, "docker", ANSWERING)
    assert docker_engine.ensure(where, Step("engine")).containers == Host("linux", "arm64")


def test_a_newer_client_without_a_daemon_is_no_engine(bare_path: Path) -> None:
    command(bare_path, "docker", AWAY)
    assert docker_engine.find() is None


def test_an_unreachable_docker_host_is_named(
    where: Locations, bare_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(bare_path, "docker", AWAY)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.1.2.3:2376")
    with pytest.raises(ToolError, match=r"at tcp://10\.1\.2\.3:2376 \(set by DOCKER_HOST"):
        docker_engine.ensure(where, Step("engine"))


def test_without_rights_one_message_says_what_to_install(
    where: Locations, bare_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(bare_path, "docker", AWAY)
    monkeypatch.setattr(docker_engine, "installable", lambda: False)
    monkeypatch.setattr(docker_engine, "install", lambda _: pytest.fail("installed without the right to"))
    with pytest.raises(ToolError, match=r"no Docker daemon answers; .*DOCKER_HOST"):
        docker_engine.ensure(where, Step("engine"))


def test_an_old_engine_is_refused(where: Locations, bare_path: Path) -> None:
    command(bare_path, "docker", ANSWERING.replace("20.10.24", "19.03.5"))
    with pytest.raises(ToolError, match=r"19\.03\.5; 20\.10 or newer"):
        docker_engine.ensure(where, Step("engine"))


def test_a_full_disk_is_named(where: Locations, bare_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(bare_path, "docker", ANSWERING)
    monkeypatch.setattr(docker_engine, "NEEDED_DISK_BYTES", 1 << 60)
    with pytest.raises(ToolError, match=r"GiB free on the disk of .* are needed"):
        docker_engine.ensure(where, Step("engine"))


def test_a_docker_context_counts_as_docker_host(
    bare_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(
        bare_path,
        "docker",
        'test "$*" = "context inspect colima --format {{.Endpoints.docker.Host}}" && echo unix:///c',
    )
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert docker_engine.docker_host() == ""
    (tmp_path / "config.json").write_text('{"currentContext": "colima"}')
    assert docker_engine.docker_host() == "unix:///c"


def test_a_long_state_directory_gets_a_socket_that_fits(tmp_path: Path) -> None:
    where = Locations(cache=tmp_path, state=tmp_path / ("long" * 30))
    assert len(str(image_builder.socket_path(where))) <= 100
    other = Locations(cache=tmp_path, state=tmp_path / ("wide" * 30))
    assert image_builder.socket_path(where) != image_builder.socket_path(other)


def test_the_builder_instance_leads_to_the_socket(where: Locations) -> None:
    assert image_builder.own_builder(where) is None
    image_builder.write_instance(where)
    instance = json.loads(image_builder.instance_file(where).read_text())
    assert instance["Driver"] == "remote"
    assert instance["Nodes"][0]["Endpoint"] == f"unix://{image_builder.socket_path(where)}"
    assert image_builder.own_builder(where) == instance["Name"]


@pytest.mark.parametrize(("present", "pullable", "pull", "possible"), [
    (True, False, False, True), (False, True, True, True), (False, True, False, False), (False, False, True, False),
])  # fmt: skip
def test_the_container_builder_is_possible_if_its_image_can_be_had(
    present: bool, pullable: bool, pull: bool, possible: bool, bare_path: Path
) -> None:
    command(
        bare_path, "docker", f'case "$1" in image) exit {int(not present)} ;; pull) exit {int(not pullable)} ;; esac'
    )
    assert image_builder.container_builder_possible(pull=pull) is possible


@pytest.mark.parametrize(
    ("said", "source"), [("go1.26.8", "PATH"), ("go1.27.0", "PATH"), ("go1.25.9", None), ("?", None)]
)
def test_go_on_path_counts_if_it_is_new_enough(
    said: str, source: str | None, where: Locations, bare_path: Path
) -> None:
    command(bare_path, "go", f"echo {said}")
    found = go_toolchain.find(where)
    assert (found.source if found else None) == source


def test_the_go_wheel_is_new_enough_and_pinned_by_hashes() -> None:
    assert tuple(map(int, go_toolchain.wheel_version().split(".")[:2])) >= go_toolchain.NEEDED
    assert go_toolchain.WHEEL.read_text().count("--hash=sha256:") >= 4


def test_go_from_the_wheel_is_used_when_it_was_fetched(where: Locations, bare_path: Path) -> None:
    uv = 'while [ "$1" != --target ]; do shift; done; mkdir -p "$2/go/bin"; touch "$2/go/bin/go"'
    command(bare_path, "uv", uv)
    go = go_toolchain.fetch(where, bare_path / "uv")
    assert go.source == "wheel"
    assert go_toolchain.find(where) == go


def tar_of(**files: str) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    out.seek(0)
    return out


def test_a_layout_is_the_same_for_the_same_input_and_consistent(tmp_path: Path) -> None:
    config = ImageConfig("arm64", "2026-11-01T00:00:00Z", {"PATH": "/bin"}, {"a": "b"})
    digests = []
    for name in ("one", "two"):
        writer = LayoutWriter(tmp_path / name)
        layer = writer.add_layer(tar_of(hello="world"))
        digests.append(writer.add_image("os", config, [layer]))
        writer.close()
    assert digests[0] == digests[1] == read_digests(tmp_path / "one")["os"]
    for blob in (tmp_path / "one" / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    packed = (tmp_path / "one" / "blobs" / "sha256" / layer.digest.removeprefix("sha256:")).read_bytes()
    assert packed[4:8] == bytes(4)  # gzip's time stamp: none, else tomorrow's image would be another


def test_the_os_image_is_keyed_by_its_definition(where: Locations, host: Host, tmp_path: Path) -> None:
    changed = tmp_path / "os.toml"
    changed.write_text(os_image.DEFINITION.read_text().replace("ca-certificates", "ca-certificates-java"))
    assert os_image.target(where, host) != os_image.target(where, host, changed)
    assert os_image.target(where, host) != os_image.target(where, Host("linux", "arm64"))


def test_the_os_image_has_no_package_manager_of_python_or_debian(host: Host) -> None:
    arguments = os_image.arguments(os_image.load(), host, Path("/somewhere/packages"))
    assert "--variant=essential" in arguments
    packages = next(one for one in arguments if one.startswith("--include=")).partition("=")[2].split(",")
    assert not {"apt", "python3-pip", "python3-venv"} & set(packages)


def test_an_unfinished_os_image_does_not_count(where: Locations, host: Host) -> None:
    LayoutWriter(os_image.target(where, host)).add_layer(tar_of(a="b"))
    assert os_image.find(where, host) is None


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_the_doctor_is_content_when_everything_is_there(console: Console) -> None:
    assert doctor.report([doctor.Check("a", present=True, detail="1.0")], console) == 0


def test_the_doctor_names_what_is_missing_and_what_to_do(console: Console) -> None:
    checks = [
        doctor.Check("a", present=True, detail="1.0"),
        doctor.Check("b", present=False, detail="none", remedy="get [one]"),
    ]
    assert doctor.report(checks, console) == 1
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "b  none; get [one]" in said
    assert "1 missing" in said


def test_the_doctor_finds_an_empty_machine_wanting(where: Locations, bare_path: Path, console: Console) -> None:
    command(bare_path, "docker", AWAY)
    missing = {check.name for check in doctor.check(where, this_host()) if not check.present}
    assert missing >= {"Docker engine", "pulumi", "pulumi-resource-docker", "image builder", "passphrase"}
    assert missing >= {"litestream", "restic", "rclone"}
    assert doctor.main(console) == 1
    assert not where.state.exists()  # looking changes nothing


def test_progress_shows_each_step_once_and_signs_of_life() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=200), plain_interval_s=0.01)
    with progress.step("first") as step:
        step.doing, step.outcome = "working", "3 built"
        while "first: working" not in out.getvalue():
            pass
    with pytest.raises(ToolError), progress.step("second"):
        raise ToolError("no")
    said = out.getvalue()
    assert said.count("✓ first: 3 built") == 1
    assert said.count("✗ second") == 1


@pytest.mark.parametrize(("elapsed_s", "text"), [(0.34, "0.3 s"), (42.4, "42 s"), (187.0, "3 min 07 s")])
def test_times_read_well(elapsed_s: float, text: str) -> None:
    assert seconds(elapsed_s) == text
