"""Which files go into an image, and that its tag follows them and nothing else."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from infra import images
from infra.images import ImageSpec
from infra.settings import load_settings

ARGUMENTS = {"OS_IMAGE": "python:3.12-slim", "MODEL_PRECISION": "int8"}
IGNORE = """*
!images/app/Dockerfile
!images/app/src
!lib
**/__pycache__
**/*.egg-info
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small checkout with one image, and files that do not go into it."""
    files = {
        "images/app/Dockerfile": "FROM scratch\nCOPY . /\n",
        "images/app/Dockerfile.dockerignore": IGNORE,
        "images/app/README.md": "not in it",
        "images/app/src/main.py": "print(1)",
        "images/app/src/deep/er.py": "print(2)",
        "images/app/src/__pycache__/main.pyc": "compiled",
        "lib/a.txt": "a",
        "lib/x.egg-info/PKG-INFO": "not in it",
        "library/b.txt": "not in it",
        "secret.env": "not in it",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(images, "ROOT", tmp_path)
    return tmp_path


def inside(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in ImageSpec("app").files()}


SEEN = {"images/app/Dockerfile", "images/app/src/main.py", "images/app/src/deep/er.py", "lib/a.txt"}


def test_the_ignore_list_says_what_goes_in(checkout):
    assert inside(checkout) == SEEN


def docker(*arguments: str, cwd: Path | None = None) -> bytes:
    return subprocess.run(["docker", *arguments], cwd=cwd, capture_output=True, check=True, timeout=120).stdout


@pytest.mark.docker
def test_docker_reads_the_ignore_list_the_same_way(checkout):
    # Docker without BuildKit knows only this name; BuildKit prefers the other, which says the same.
    (checkout / ".dockerignore").write_text(IGNORE, encoding="utf-8")
    image = docker("build", "--quiet", "--file", "images/app/Dockerfile", ".", cwd=checkout).decode().strip()
    try:
        container = docker("create", image, "nothing").decode().strip()
        try:
            with tarfile.open(fileobj=io.BytesIO(docker("cp", f"{container}:/", "-"))) as content:
                names = {member.name.lstrip("./") for member in content if member.isfile()}
        finally:
            docker("rm", container)
    finally:
        docker("rmi", image)
    assert {name for name in names if name.startswith(("images/", "lib", "secret"))} == inside(checkout)


@pytest.mark.parametrize("name", sorted(SEEN))
def test_the_tag_changes_with_each_file_that_goes_in(checkout, name):
    spec, path = ImageSpec("app"), checkout / name
    before = spec.content_tag(ARGUMENTS)
    path.write_text(path.read_text(encoding="utf-8") + "#", encoding="utf-8")
    assert spec.content_tag(ARGUMENTS) != before


def test_the_tag_changes_with_a_new_a_moved_and_an_executable_file(checkout):
    spec = ImageSpec("app")
    tags = [spec.content_tag(ARGUMENTS)]
    (checkout / "lib/new.txt").write_text("", encoding="utf-8")
    tags.append(spec.content_tag(ARGUMENTS))
    (checkout / "lib/new.txt").rename(checkout / "lib/other.txt")
    tags.append(spec.content_tag(ARGUMENTS))
    (checkout / "lib/other.txt").chmod(0o755)
    tags.append(spec.content_tag(ARGUMENTS))
    (checkout / "lib/other.txt").unlink()
    assert len(set(tags)) == 4
    assert spec.content_tag(ARGUMENTS) == tags[0]


@pytest.mark.parametrize(
    "name",
    ["images/app/README.md", "images/app/src/__pycache__/main.pyc", "library/b.txt", "secret.env", "lib/__pycache__/n"],
)
def test_the_tag_does_not_change_with_what_stays_outside(checkout, name):
    spec = ImageSpec("app")
    before = spec.content_tag(ARGUMENTS)
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("changed", encoding="utf-8")
    assert spec.content_tag(ARGUMENTS) == before


@pytest.mark.parametrize("key", sorted(ARGUMENTS))
def test_the_tag_changes_with_each_argument(checkout, key):
    spec = ImageSpec("app")
    assert spec.content_tag({**ARGUMENTS, key: "other"}) != spec.content_tag(ARGUMENTS)
    assert spec.content_tag({**ARGUMENTS, "NEW": ""}) != spec.content_tag(ARGUMENTS)


def test_the_tag_is_the_same_in_another_clone_at_another_time(checkout, tmp_path_factory, monkeypatch):
    before = ImageSpec("app").content_tag(dict(reversed(ARGUMENTS.items())))
    clone = tmp_path_factory.mktemp("clone") / "again"
    shutil.copytree(checkout, clone)
    for path in clone.rglob("*"):
        os.utime(path, (1, 1))
    monkeypatch.setattr(images, "ROOT", clone)
    assert ImageSpec("app").content_tag(ARGUMENTS) == before


@pytest.mark.parametrize("name", list(images.specs(load_settings({}, "dev"))))
def test_a_real_image_sees_its_sources_and_nothing_private(name):
    spec = images.specs(load_settings({}, "dev"))[name]
    seen = {path.relative_to(images.ROOT).as_posix() for path in spec.files()}
    rules = spec.dockerfile.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert rules[0] == "*"
    # The two forms that are understood; another one would make the tag and the build differ.
    assert all(rule.startswith(("!", "**/")) for rule in rules[1:])
    for place in (rule[1:] for rule in rules if rule.startswith("!")):
        assert (images.ROOT / place).exists(), place
        assert any(path == place or path.startswith(f"{place}/") for path in seen), place
    assert spec.dockerfile.relative_to(images.ROOT).as_posix() in seen
    assert not any(path.startswith(("tests/", "tools/", "infra/", ".git")) or "__pycache__" in path for path in seen)


@pytest.mark.parametrize("name", list(images.specs(load_settings({}, "dev"))))
def test_a_dockerfile_copies_only_what_its_build_sees(name):
    spec = images.specs(load_settings({}, "dev"))[name]
    seen = {path.relative_to(images.ROOT).as_posix() for path in spec.files()}
    copies = [line.split() for line in spec.dockerfile.read_text(encoding="utf-8").splitlines() if line[:5] == "COPY "]
    from_context = [words for words in copies if not any(word.startswith("--from") for word in words)]
    assert from_context
    for source in (word for words in from_context for word in words[1:-1]):
        assert any(path == source or path.startswith(f"{source}/") for path in seen), source


@pytest.mark.parametrize("name", ["api", "api-remote"])
def test_the_precision_is_an_argument_of_both_forms_of_the_api_image(name):
    for precision in ("int8", "fp16", "fp32"):
        spec = images.specs(load_settings({"image": {"precision": precision}}, "dev"))[name]
        assert dict(spec.arguments) == {"MODEL_PRECISION": precision}


@pytest.mark.parametrize("name", list(images.specs(load_settings({}, "dev"))))
def test_a_target_is_a_stage_of_the_dockerfile(name):
    spec = images.specs(load_settings({}, "dev"))[name]
    stages = re.findall(r"^FROM \S+(?: AS (\S+))?$", spec.dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    assert spec.target in stages
    if name in {"api", "chroma"}:
        assert spec.target == stages[-1], "what a plain `docker build` makes"


def test_two_targets_of_one_dockerfile_have_their_own_tags(checkout):
    specs = [ImageSpec("app"), ImageSpec("app", target="one"), ImageSpec("other", folder="app", target="two")]
    assert len({spec.content_tag(ARGUMENTS) for spec in specs}) == 3
    assert specs[2].dockerfile == specs[0].dockerfile


def test_an_empty_environment_means_the_official_image_and_builder():
    host = images.BuildHost.from_environment({})
    assert host == images.BuildHost()
    assert host.arguments == {"OS_IMAGE": "python:3.12-slim", "BUILD_IMAGE": "python:3.12-slim"}


def test_a_chosen_os_image_is_also_the_build_image_unless_there_is_another():
    host = images.BuildHost.from_environment({"CORTEX_OS_IMAGE": "mine:1", "CORTEX_BUILD_CA": "/etc/ca.pem"})
    assert host.arguments == {"OS_IMAGE": "mine:1", "BUILD_IMAGE": "mine:1"}
    assert (host.contexts, host.ca_bundle) == ((), Path("/etc/ca.pem"))
