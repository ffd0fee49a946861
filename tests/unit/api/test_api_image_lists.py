"""What goes into the image: lists in step with the lock, a bill of materials, nothing that is not meant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import prune
import pytest
import sbom

from tools.acquire import uv_command
from tools.locations import locations

ROOT = Path(__file__).parents[3]
API = ROOT / "images/api"
LISTS = ("requirements.lock", "requirements-remote.lock", "model/requirements.lock", "build/requirements.lock")


def locked(name):
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", (API / name).read_text(), re.MULTILINE))


def test_lists_have_a_hash_for_everything():
    for name in (*LISTS, "model/weights.lock"):
        entries = re.split(r"\n(?=[a-z])", (API / name).read_text())
        for entry in entries:
            if "==" in entry:
                assert "--hash=sha256:" in entry, entry


def test_lists_are_of_the_versions_in_uv_lock():
    packages = re.findall(r'\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"', (ROOT / "uv.lock").read_text())
    for name in LISTS:
        for package, version in locked(name).items():
            assert (package, version) in packages, f"{name} is not in step with uv.lock: run sh images/api/lock.sh"


def test_lists_are_what_the_command_writes(tmp_path):
    uv = uv_command(locations())
    for name in LISTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
    environment = {**os.environ, "PATH": f"{uv.parent}:{os.environ['PATH']}", "UV_OFFLINE": "1"}
    subprocess.run(["sh", str(API / "lock.sh"), str(tmp_path)], env=environment, check=True)
    for name in LISTS:
        assert (tmp_path / name).read_text() == (API / name).read_text(), "run sh images/api/lock.sh"


def test_uv_of_the_image_is_the_projects():
    assert (API / "build/uv.txt").read_text() == (ROOT / "tools/wheels/uv.txt").read_text()


RUNTIME = {"embedded": "requirements.lock", "remote": "requirements-remote.lock"}
UNWANTED = {"kubernetes", "grpcio", "pip", "pytest", "onnx", "bcrypt", "huggingface-hub"}


@pytest.mark.parametrize("form", RUNTIME)
def test_list_lacks_what_the_image_must_not_hold(form):
    assert not UNWANTED & set(locked(RUNTIME[form]))


@pytest.mark.parametrize("form", RUNTIME)
def test_dependencies_of_the_api_are_in_the_list(form):
    project = tomllib.loads((API / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"][form]]
    names = {re.split(r"[<>=]", each)[0] for each in declared} - {"cortex-store", "cortex-healthcheck"}
    assert names <= set(locked(RUNTIME[form]))


def test_both_forms_differ_in_chroma_only():
    embedded, remote = locked("requirements.lock"), locked("requirements-remote.lock")
    assert embedded.pop("chromadb") == remote.pop("chromadb-client")
    assert embedded == remote


def test_prune_removes_what_is_listed_and_complains_when_it_is_not_there(tmp_path):
    for pattern in prune.UNUSED:
        path = tmp_path / pattern.replace("*", "x")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("unused")
    for kept in ("chromadb/api.py", "numpy/testing/a.py"):
        (tmp_path / kept).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / kept).write_text("kept")
    (tmp_path / "numpy/tests").mkdir()
    (tmp_path / "numpy/tests/test_a.py").write_text("x")
    assert prune.prune(tmp_path) > 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"chromadb/api.py", "numpy/testing/a.py"}
    with pytest.raises(FileNotFoundError, match="look at UNUSED"):
        prune.prune(tmp_path)


def test_bill_of_materials_lists_python_os_and_model(tmp_path, monkeypatch):
    info = tmp_path / "lib/some_thing-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Some.Thing\nVersion: 1.2\nLicense: MIT\n")
    (tmp_path / "status").write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u1\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    manifest = {"name": "m", "precision": "int8", "sha256": "aa", "source": "s", "weights_sha256": "bb"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    arguments = ["sbom.py", "out.json", "--folder", "lib", "--dpkg", "status", "--model", "manifest.json"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", arguments)
    assert sbom.main() == 0
    first = Path("out.json").read_bytes()
    components = json.loads(first)["components"]
    assert [each.get("purl", each["type"]) for each in components] == [
        "pkg:pypi/some-thing@1.2",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64",
        "machine-learning-model",
    ]
    sbom.main()
    assert Path("out.json").read_bytes() == first


def test_build_context_is_an_allow_list():
    lines = (API / "Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    lines_of = [
        line.split()[1:-1] for line in (API / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")
    ]
    copied = [source for sources in lines_of if not sources[0].startswith("--") for source in sources]
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert copied
    for source in copied:
        assert any(each.startswith(source) or source.startswith(each) for each in allowed), source


def test_build_scripts_are_sh():
    for script in ("lock.sh", *(f"build/{name}.sh" for name in ("app", "install", "user"))):
        subprocess.run(["sh", "-n", str(API / script)], check=True)
