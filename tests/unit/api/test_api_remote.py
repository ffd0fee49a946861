"""What only a remote store can meet: other processes beside this one, and a server that is away."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from cortex_api.canary import CanaryResult
from cortex_api.parts import remote_token, runtime_for
from cortex_api.phase import PhaseHolder
from cortex_api.remote_opening import open_remote
from cortex_api.remote_storage import RemoteStorage
from cortex_api.runtime import Runtime
from cortex_api.settings import SettingsError, load_settings
from cortex_api.storage import (
    CollectionExists,
    CollectionMissing,
    CollectionSpec,
    CredentialRefused,
    Selection,
    StoreBusy,
    StoreClosed,
    TooManyCollections,
)
from cortex_api.watched_file import FileUnusable, WatchedFile


@pytest.fixture(scope="module")
def store_kind():
    return "remote"


@pytest.fixture
def open_storage(chroma_url, new_place):
    place, opened = new_place(), []

    def storage(max_collections=100):
        opened.append(RemoteStorage(chroma_url, lambda: "token", max_collections, database=place))
        return opened[-1]

    yield storage
    for each in opened:
        each.close(5)


def spec(name):
    return CollectionSpec(name, 2, "cosine", None)


def test_two_processes_see_the_same_collections(open_storage):
    one, other = open_storage(), open_storage()
    one.create_collection(spec("abc"))
    assert other.get_collection("abc").dimensions == 2
    with pytest.raises(CollectionExists):
        other.create_collection(spec("abc"))
    other.delete_collection("abc")
    with pytest.raises(CollectionMissing):
        one.count("abc")
    other.create_collection(spec("abc"))
    assert one.count("abc") == 0, "a name is looked up each time: the collection may be another one by now"


def test_a_name_that_was_taken_between_look_and_create_is_a_conflict(open_storage, monkeypatch):
    one, other = open_storage(), open_storage()
    other.create_collection(spec("abc"))
    monkeypatch.setattr(one, "_exists", lambda _: False)
    with pytest.raises(CollectionExists, match="abc"):
        one.create_collection(spec("abc"))


def test_a_process_never_exceeds_the_limit_by_itself(open_storage):
    storage = open_storage(max_collections=3)
    problems = []

    def create(number):
        try:
            storage.create_collection(spec(f"col-{number}"))
        except TooManyCollections as problem:
            problems.append(problem)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(problems) == 5
    assert storage.facts().collections == 3


@pytest.mark.parametrize("name", ["..", ".", "...", "a", "../..", "a/b", "abc?x", "%2e%2e", "abc#", "", "x" * 513])
def test_a_name_that_would_be_another_path_names_no_collection(open_storage, name):
    storage = open_storage()
    storage.create_collection(spec("kept"))
    for call in (
        lambda: storage.delete_collection(name),
        lambda: storage.get_collection(name),
        lambda: storage.delete(name, Selection(ids=["a"])),
    ):
        with pytest.raises(CollectionMissing):
            call()
    assert storage.facts().collections == 1


def test_status_tells_the_server_and_no_bytes(make_api, chroma_url):
    told = make_api().reader.get("/v1/status").json()["store"]
    assert told == {
        "engine": "chromadb, remote",
        "place": chroma_url,
        "bytes": None,
        "free_bytes": None,
        "collections": 0,
    }


def test_health_says_whether_the_server_is_reached_and_fails_only_after_a_while(make_api, monkeypatch):
    api = make_api(chroma_away_s=30)
    body = api.anonymous.get("/healthz").json()
    assert (body["status"], body["canary"], body["chroma"]["reached"]) == ("ok", None, True)
    assert body["chroma"]["took_ms"] > 0

    def away(_):
        raise StoreBusy("Chroma at x could not be reached")

    monkeypatch.setattr(api.runtime.canary, "_round_trip", away)
    api.runtime.canary.sing()
    answer = api.anonymous.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok"), "all replicas would be taken out together"
    assert answer.json()["chroma"]["reached"] is False
    assert "could not be reached" in answer.json()["chroma"]["error"]
    first = api.runtime.canary.last.failing_since_s
    assert api.runtime.canary.sing().failing_since_s == first, "the first failure counts"
    past = CanaryResult(False, time.monotonic(), error="gone", failing_since_s=time.monotonic() - 31)
    monkeypatch.setattr(api.runtime.canary, "_last", past)
    answer = api.anonymous.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    monkeypatch.undo()
    assert api.runtime.canary.sing().failing_since_s is None
    assert api.anonymous.get("/healthz").status_code == 200


class Waits:
    def __init__(self):
        self.phase = PhaseHolder()
        self.waiting_for = None


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "chroma-token"
    path.write_text("t\n")
    return WatchedFile("CORTEX_CHROMA_TOKEN_FILE", path, str.strip)


def test_a_server_that_is_not_there_yet_is_waited_for(chroma_url, token, monkeypatch):
    settings = load_settings(model="custom", storage="remote", chroma_url=chroma_url)
    heard, outcomes = [], [StoreBusy("away"), CredentialRefused("the gateway has another one"), None]
    original = RemoteStorage.__init__

    def init(self, *arguments, **more):
        problem = outcomes.pop(0)
        if problem is not None:
            raise problem
        original(self, *arguments, **more)

    monkeypatch.setattr(RemoteStorage, "__init__", init)
    who = Waits()
    storage = open_remote(settings, token, who, pause=lambda _: heard.append(who.waiting_for))
    assert heard == ["away", "the gateway has another one"]
    assert who.waiting_for is None
    assert storage.max_batch_rows == 5461
    storage.close(5)


def test_waiting_ends_with_the_process_and_health_says_for_what(token, tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound, not listening: refused
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = load_settings(model="custom", storage="remote", chroma_url=url)
        runtime = Runtime(settings, lambda: open_remote(settings, token, runtime, pause=stop), lambda: None)
        seen = []

        def stop(_):
            from cortex_api.health import judged  # noqa: PLC0415 -- at this moment

            seen.append(judged(runtime))
            runtime.begin_stop()

        runtime.open()
    assert seen[0][0] == 503
    assert seen[0][1]["status"] == "starting"
    assert "could not be reached" in seen[0][1]["chroma"]["error"]
    assert runtime.close(1)


def test_what_waiting_does_not_change_ends_the_process(chroma_url, token, monkeypatch):
    settings = load_settings(model="custom", storage="remote", chroma_url=chroma_url)
    who = Waits()
    with pytest.raises(CollectionMissing, match="Database"):
        RemoteStorage(chroma_url, lambda: "t", 5, database="none")
    monkeypatch.setattr("cortex_api.chroma_database.ChromaDatabase.check", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_remote(settings, token, who)
    who.phase.stop()
    with pytest.raises(StoreClosed):
        open_remote(settings, token, who)


@pytest.mark.parametrize("content", [None, "", "two words", "tab\tbed", "ü", "bell\a"])
def test_a_token_that_cannot_be_sent_is_refused_before_anything_starts(tmp_path, chroma_url, content):
    path = tmp_path / "chroma-token"
    if content is not None:
        path.write_text(content)
    settings = load_settings(model="custom", storage="remote", chroma_url=chroma_url, chroma_token_file=path)
    with pytest.raises(FileUnusable, match="CORTEX_CHROMA_TOKEN_FILE") as caught:
        runtime_for(settings)
    assert "words" not in str(caught.value)
    path.write_text("good\n")
    assert remote_token(settings).value == "good"


def test_connections_are_kept_and_used_again(open_storage):
    storage = open_storage()
    storage.create_collection(spec("abc"))
    for _ in range(20):
        storage.count("abc")
    assert len(storage._http._transport._wire._pool.connections) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"storage": "remote"}, "CORTEX_CHROMA_URL: is needed"),
        ({"storage": "remote", "chroma_url": "chroma:8000"}, "must be http://host:port"),
        ({"storage": "remote", "chroma_url": "ftp://chroma:21"}, "must be http://host:port"),
        ({"storage": "remote", "chroma_url": "http://chroma:8000/api/v2"}, "without a path"),
        ({"storage": "remote", "chroma_url": "http://me:pw@chroma:8000"}, "must be http://host:port"),
        ({"storage": "remote", "chroma_url": "http://chroma:99999"}, "must be http://host:port"),
        ({"storage": "remote", "chroma_url": "http://chroma:8000", "lock_fd": 5}, "HEALTH_SERVER=none"),
        ({"chroma_url": "http://chroma:8000"}, "set CORTEX_STORAGE=remote"),
        ({"storage": "distributed"}, "CORTEX_STORAGE=distributed"),
    ],
)
def test_where_the_store_is_must_be_said_without_contradiction(fields, said):
    with pytest.raises(SettingsError, match=said):
        load_settings(model="custom", **fields)


def test_an_image_with_the_client_only_cannot_embed(monkeypatch):
    monkeypatch.setattr("cortex_api.settings._SERVER_LIBRARY", "no_such_package")
    with pytest.raises(SettingsError, match="only Chroma's client"):
        load_settings()
    assert load_settings(storage="remote", chroma_url="http://chroma:8000/").is_remote
