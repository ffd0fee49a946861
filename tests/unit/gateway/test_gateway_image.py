"""What goes into the gateway's image: a list in step with the lock, and of HAProxy's packages what it needs to run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.gateway.gateway import Gateway, Guard, Server, SingleNode
from infra.gateway.guarded import command, environment
from tools.acquire import uv_command
from tools.locations import locations

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "images/gateway"
DOCKERFILE = (IMAGE / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def haproxy():
    """The build step's script."""
    spec = importlib.util.spec_from_file_location("gateway_image_haproxy", IMAGE / "build/haproxy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(folder: Path, name: str, depends: str, files: dict[str, str]) -> None:
    """A Debian package, as a folder of its files beside what `dpkg-deb --field` says."""
    made = folder / f"{name}_1.0-1_all.deb"
    for path, text in {**files, f"usr/share/doc/{name}/copyright": "free", f"usr/share/man/{name}.1": "manual"}.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    (folder / f"{made.name}.fields").write_text(f"Package: {name}\nVersion: 1.0-1\nDepends: {depends}\n")


def dpkg_deb(*command: str) -> str:
    """What the command does with such a folder."""
    program, action, made, *rest = command
    assert program == "dpkg-deb"
    if action == "--extract":
        shutil.copytree(made, rest[0], dirs_exist_ok=True)
        return ""
    text = Path(f"{made}.fields").read_text()
    return re.search(rf"^{rest[0]}: (.*)$", text, re.MULTILINE)[1] if rest else text


def test_the_program_and_its_libraries_are_taken_and_nothing_else(haproxy, tmp_path, monkeypatch):
    packages, root, status = tmp_path / "packages", tmp_path / "root", tmp_path / "status"
    packages.mkdir()
    package(
        packages,
        "haproxy",
        "libc6 (>= 2.36), liblua5.3-0, adduser | other",
        {"usr/sbin/haproxy": "program", "etc/init.d/haproxy": "script", "lib/systemd/system/haproxy.service": "unit"},
    )
    package(packages, "liblua5.3-0", "liblua-helper", {"usr/lib/x86_64-linux-gnu/liblua5.3.so.0": "library"})
    package(packages, "liblua-helper", "libc6", {"lib/x86_64-linux-gnu/libhelper.so.1": "library"})
    package(packages, "adduser", "passwd", {"usr/sbin/adduser": "script"})
    status.write_text("Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\n")
    monkeypatch.setattr(haproxy, "STATUS", status)
    monkeypatch.setattr(haproxy, "_run", dpkg_deb)
    monkeypatch.setattr("sys.argv", ["haproxy.py", str(root), str(packages)])
    assert haproxy.main() == 0
    taken = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert taken == {
        "usr/sbin/haproxy",
        "usr/lib/x86_64-linux-gnu/liblua5.3.so.0",
        "usr/lib/x86_64-linux-gnu/libhelper.so.1",
        *(f"usr/share/doc/{name}/copyright" for name in ("haproxy", "liblua5.3-0", "liblua-helper")),
        str(status.relative_to("/")),
    }
    known = re.findall(r"Package: (.*)\nStatus: install ok installed\n", (root / status.relative_to("/")).read_text())
    assert known == ["libc6", "haproxy", "liblua-helper", "liblua5.3-0"]


def test_without_packages_and_without_apt_the_build_says_so(haproxy, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["haproxy.py", str(tmp_path / "root"), str(tmp_path)])
    monkeypatch.setattr(haproxy.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match="no package haproxy"):
        haproxy.main()


def test_the_list_is_what_the_command_writes(tmp_path):
    uv = uv_command(locations())
    told = {**os.environ, "PATH": f"{uv.parent}:{os.environ['PATH']}", "UV_OFFLINE": "1"}
    subprocess.run(["sh", str(IMAGE / "lock.sh"), str(tmp_path)], env=told, check=True)
    written = (tmp_path / "requirements.lock").read_text()
    assert written == (IMAGE / "requirements.lock").read_text(), "run sh images/gateway/lock.sh"
    assert set(re.findall(r"^([a-z-]+)==", written, re.MULTILINE)) == {"prometheus-client", "psutil"}


def test_the_image_runs_what_the_configuration_is_made_for():
    """Command and variables in the Dockerfile are those of `infra.gateway`, for its default folders and ports."""
    gateway = Gateway(SingleNode(Server("api", 8080, 4), Guard("api", 8081)))
    entrypoint = re.search(r"^ENTRYPOINT \[(.*?)\]", DOCKERFILE, re.MULTILINE | re.DOTALL)[1]
    words = re.findall(r'"([^"]*)"', entrypoint)
    assert tuple(words[words.index("--") + 1 :]) == command(gateway)
    for name, value in environment(gateway).items():
        if name.startswith("HEALTH_"):
            assert re.search(rf'^ +(ENV )?{name}="?{re.escape(value)}"? *\\?$', DOCKERFILE, re.MULTILINE), name


def test_the_build_context_is_an_allow_list():
    lines = (IMAGE / "Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    allowed = [line[1:] for line in lines if line.startswith("!")]
    copies = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    copied = [source for sources in copies if not sources[0].startswith("--") for source in sources]
    copied += re.findall(r"source=(images/[^,]+)", DOCKERFILE)
    assert copied
    for source in copied:
        assert any(each.startswith(source) or source.startswith(each) for each in allowed), source
