"""What goes into the image of backups, with what it is started, and what it tells of its programs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.acquire import uv_command
from tools.locations import locations
from tools.versions import BACKUP

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "images/backup"
dockerfile = (IMAGE / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def programs():
    spec = importlib.util.spec_from_file_location("programs", IMAGE / "build/programs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_list_is_what_the_command_writes_and_holds_five_things(tmp_path):
    told = {**os.environ, "PATH": f"{uv_command(locations()).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["sh", str(IMAGE / "lock.sh"), str(tmp_path)], env=told, check=True)
    written = (IMAGE / "requirements.lock").read_text()
    assert (tmp_path / "requirements.lock").read_text() == written, "run sh images/backup/lock.sh"
    names = re.findall(r"^[a-z-]+", written, re.MULTILINE)
    assert names == ["chromadb", "cronsim", "prometheus-client", "psutil", "tzdata"]
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z])", written))


def test_the_guard_starts_what_the_container_is_given_and_else_the_archiver():
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.+)$", dockerfile, re.MULTILINE)
    (command,) = re.findall(r"^CMD (.+)$", dockerfile, re.MULTILINE)
    assert yaml.safe_load(entrypoint) == ["python3", "-m", "healthcheck.guard", "--"]
    assert yaml.safe_load(command) == ["python3", "-m", "backup", "run"]


def test_drills_start_the_server_of_chromas_image():
    chroma = (ROOT / "images/chroma/Dockerfile").read_text()
    for line in ("COPY images/chroma/chroma.yaml /opt/cortex/", "COPY images/chroma/src /opt/cortex/app"):
        assert line in chroma
        assert line in dockerfile


def test_the_check_runs_every_program():
    check = (IMAGE / "build/check.py").read_text()
    assert all(f'"{tool.name}"' in check for tool in BACKUP)


def go_program(rows: list[str], version: str = "go1.26.8") -> bytes:
    """The build information of a program, as Go lays it out, in the middle of other bytes."""

    def text(content: bytes) -> bytes:
        length, lead = len(content), b""
        while length >= 0x80:
            lead, length = lead + bytes([length & 0x7F | 0x80]), length >> 7
        return lead + bytes([length]) + content

    header = (b"\xff Go buildinf:" + b"\x08\x02").ljust(32, b"\0")
    listed = "".join(f"{row}\n" for row in rows).encode()
    return b"\x7fELF" + b"\0" * 500 + header + text(version.encode()) + text(b"s" * 16 + listed + b"e" * 16) + b"\0" * 9


ROWS = [
    "path\texample.com/tool/cmd/tool",
    "mod\texample.com/tool\tv1.2.3\th1:aaaa=",
    "dep\texample.com/one\tv0.1.0\th1:bbbb=",
    "dep\texample.com/replaced\tv0.2.0",
    "=>\texample.com/instead\tv0.2.1\th1:cccc=",
    *(f"dep\texample.com/more{number}\tv0.0.{number}\th1:dddd=" for number in range(20)),
    "build\tCGO_ENABLED=0",
]


def test_the_modules_of_a_program_are_those_that_go_wrote_into_it(programs):
    found = dict(programs.modules(go_program(ROWS)))
    assert found.pop("stdlib") == "1.26.8"
    assert {name: found[name] for name in ("example.com/tool", "example.com/one", "example.com/instead")} == {
        "example.com/tool": "v1.2.3",
        "example.com/one": "v0.1.0",
        "example.com/instead": "v0.2.1",
    }
    assert "example.com/replaced" not in found
    assert len(found) == 23


def test_a_module_of_our_own_has_no_version_to_tell(programs):
    rows = ["path\tcortex.local/toolchain/rclone", "mod\tcortex.local/toolchain/rclone\t(devel)\t", *ROWS[2:3]]
    assert dict(programs.modules(go_program(rows))) == {"stdlib": "1.26.8", "example.com/one": "v0.1.0"}


def test_what_go_did_not_make_is_refused(programs):
    with pytest.raises(ValueError, match="no build information"):
        list(programs.modules(b"\x7fELF" + b"\0" * 1000))


def test_modules_are_added_to_the_list_once(programs, tmp_path, monkeypatch):
    listed = tmp_path / "sbom.json"
    listed.write_text(json.dumps({"components": [{"name": "psutil"}]}))
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(go_program(ROWS))
    monkeypatch.setattr(sys, "argv", ["programs.py", str(listed), str(tmp_path / "one"), str(tmp_path / "two")])
    assert programs.main() == 0
    components = json.loads(listed.read_text())["components"]
    assert components[0] == {"name": "psutil"}
    refs = [component["bom-ref"] for component in components[1:]]
    assert len(refs) == len(set(refs)) == 24
    assert "pkg:golang/example.com/tool@v1.2.3" in refs
