"""A directory or a volume into a store, over the real programs of the store; Docker alone is a stand-in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import store
from ops.errors import StackError
from ops.importing import Access, run
from ops.stack import Stack
from tests.unit.store.conftest import chroma_rows, made_stores, store_of_kind  # noqa: F401 - fixtures
from tools.locations import CHECKOUT

pytestmark = pytest.mark.process

OUTPUTS = {"url": "https://127.0.0.1:8443", "container": "cortex-dev-api"}
STAND_IN = """
import json, os, sys
words = sys.argv[1:]
with open({calls!r}, "a") as calls:
    calls.write(" ".join(words) + "\\n")
places = json.load(open({places!r}))
python = [{python!r}, "-m", "store"]
match words:
    case ["inspect", "cortex-dev-api"]:
        mounts = [{{"Type": "volume", "Name": "cortex-dev-store", "Destination": "/data"}}]
        print(json.dumps([{{"Image": "sha256:api", "Config": {{"User": "10001:10001"}}, "Mounts": mounts}}]))
    case ["inspect", *ids]:
        print(json.dumps([places["running"]]))
    case ["ps", "--quiet", *_]:
        print(*(["id-1"] if "running" in places else []))
    case ["ps", *_] if "status=running" in words:
        print("cortex-dev-api", "cortex-dev-backup", "cortex-dev-gateway", sep="\\n")
    case ["volume", "inspect", name]:
        sys.exit(name != "old")
    case ["run", *_] if "send" in words:
        os.execv(python[0], [*python, "send", places["volume"], *words[words.index("/source") + 1:]])
    case ["run", *_] if "receive" in words:
        os.execv(python[0], [*python, "receive", places["store"], *words[words.index("/data") + 1:]])
"""


class Scene:
    def __init__(self, programs, source: Path, target: Path) -> None:
        self.source, self.target = source, target
        self.calls_file = programs.folder / "docker-calls"
        self.places_file = programs.folder / "places.json"
        self.places(volume=str(source), store=str(target))
        text = STAND_IN.format(calls=str(self.calls_file), places=str(self.places_file), python=sys.executable)
        (programs.folder / "docker").write_text(f"#!{sys.executable} -IS\n{text}")
        (programs.folder / "docker").chmod(0o755)
        programs.add("pulumi", ("stack output", json.dumps(OUTPUTS), 0))
        self.environment = programs.environment

    def places(self, **said: object) -> None:
        self.places_file.write_text(json.dumps(said))

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    def run(self, source: object, *, force: bool = False):
        return run(Stack("dev", self.environment), str(source), Access(), Console(stderr=True), force=force)


@pytest.fixture
def scene(programs, store_of_kind):  # noqa: F811
    target = store_of_kind("fresh")
    store.prepare(target)
    return Scene(programs, store_of_kind("purged"), target)


@pytest.mark.parametrize("kind", ["directory", "volume"])
def test_it_is_imported_while_the_store_is_alone(scene, kind):
    before = {file: file.stat().st_mtime_ns for file in scene.source.rglob("*")}
    done = scene.run(scene.source if kind == "directory" else "volume:old")
    assert (done.collections, done.records, done.compared) == (1, 100, 100)
    assert done.moved_aside
    assert {file: file.stat().st_mtime_ns for file in scene.source.rglob("*")} == before
    assert chroma_rows("read", scene.target) == chroma_rows("read", scene.source)
    calls = [call for call in scene.calls if "--check" not in call]
    stop, start = (
        next(number for number, call in enumerate(calls) if call.startswith(word)) for word in ("stop ", "start ")
    )
    assert calls[stop].split()[1:] == calls[start].split()[1:] == ["cortex-dev-api", "cortex-dev-backup"]
    receive = next(number for number, call in enumerate(calls) if "receive" in call)
    assert stop < receive < start
    assert "--user 10001:10001" in calls[receive]
    assert "source=cortex-dev-store,target=/data" in calls[receive]
    if kind == "volume":
        send = next(call for call in calls if "send /source" in call)
        assert "source=old,target=/source,readonly" in send
        assert "--cap-drop ALL" in send
        assert "--cap-add DAC_READ_SEARCH" in send
        assert "--network none" in send


def refused(scene, source, said, **more):
    with pytest.raises(StackError, match=said) as refusal:
        scene.run(source, **more)
    assert not [call for call in scene.calls if call.startswith(("stop", "start"))]
    return refusal.value.code


def test_what_cannot_be_is_refused_before_anything_stops(scene, store_of_kind, tmp_path):  # noqa: F811
    refused(scene, "volume:other", "there is no volume other")
    refused(scene, "volume:cortex-dev-store", "is the store of stack dev itself")
    assert refused(scene, tmp_path / "nowhere", "does not exist") == 65
    assert refused(scene, tmp_path, "holds no chroma.sqlite3") == 65
    mounts = [{"Type": "bind", "Source": str(scene.source)}]
    scene.places(store=str(scene.target), running={"Name": "/chroma", "Mounts": mounts})
    refused(scene, scene.source, "is used by chroma, which runs.*docker stop chroma")
    scene.places(store=str(store_of_kind("few")))
    assert refused(scene, scene.source, "1 collections with 10 records.*--force") == 65


def test_a_store_that_a_process_has_open_is_refused(scene):
    command = [sys.executable, "-c", "import sys; open(sys.argv[1]); f = open(sys.argv[1]); print(flush=True); input()"]
    with subprocess.Popen(
        [*command, scene.source / "chroma.sqlite3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert refused(scene, scene.source, f"is open in process {holder.pid}") == 75
        holder.communicate(b"\n")


def test_with_force_what_is_there_is_moved_aside(scene, store_of_kind):  # noqa: F811
    few = store_of_kind("few")
    store.prepare(few)
    scene.places(store=str(few))
    done = scene.run(scene.source, force=True)
    assert store.inspect(Path(done.moved_aside)).vectors == 10
    assert store.inspect(few).vectors == 100


def test_a_damaged_source_is_told_and_the_stack_serves_on(scene):
    (ids,) = scene.source.glob("*/index_metadata.pickle")
    ids.write_bytes(ids.read_bytes()[:-3])
    with pytest.raises(StackError, match="cannot be adopted") as refusal:
        scene.run(scene.source)
    assert refusal.value.code == 65
    assert scene.calls[-1] == "start cortex-dev-api cortex-dev-backup"
    assert store.inspect(scene.target).collections == ()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_ended_starts_the_stack_again_and_the_next_succeeds(scene, number):
    program = (
        # Whoever starts the tests in the background has Ctrl-C ignored by all of them.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; from rich.console import Console; from ops.importing import Access, run;"
        "from ops.stack import Stack; import json, os;"
        "run(Stack('dev', json.loads(sys.argv[1])), sys.argv[2], Access(), Console(stderr=True))"
    )
    docker = scene.calls_file.parent / "docker"
    original = docker.read_text()
    hanging = 'os.execv(python[0], [python[0], "-c", "import time; time.sleep(60)"])'
    case = 'case ["run", *_] if "receive" in words'
    docker.write_text(
        original.replace(f"{case}:", f'{case} and "--check" not in words:\n        {hanging}\n    {case}:')
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(scene.environment), str(scene.source)],
        cwd=CHECKOUT,
        env={**os.environ, "PATH": scene.environment["PATH"]},
        stderr=subprocess.PIPE,
    ) as importing:
        until_s = time.monotonic() + 60
        while not any("receive" in call and "--check" not in call for call in scene.calls):
            assert time.monotonic() < until_s
            time.sleep(0.05)
        importing.send_signal(number)
        importing.communicate(timeout=60)
    assert importing.returncode != 0
    assert scene.calls[-1] == "start cortex-dev-api cortex-dev-backup"
    assert "rm --force cortex-dev-import" in scene.calls
    docker.write_text(original)
    assert scene.run(scene.source).records == 100
