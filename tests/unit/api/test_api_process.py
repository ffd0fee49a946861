"""The real process: start, lock, stop, exit codes, and streaming in both directions at once."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

import store

pytestmark = pytest.mark.process
ADMIN = {"X-Cortex-Inner": "inner-secret", "X-Cortex-Role": "admin", "X-Cortex-Token-Name": "ci"}
HEAD = "".join(f"{name}: {value}\r\n" for name, value in ADMIN.items())


class Process:
    def __init__(self, folder, credential_file, **variables):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")},
            "CORTEX_STORE_PATH": str(folder),
            "CORTEX_INNER_CREDENTIAL_FILE": str(credential_file),
            "CORTEX_HOST": "127.0.0.1",
            "CORTEX_PORT": str(self.port),
            "CORTEX_MODEL": "custom",
            "CORTEX_DIMENSIONS": "4",
            **{f"CORTEX_{name.upper()}": str(value) for name, value in variables.items()},
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cortex_api"],
            env=environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=ADMIN, timeout=30)
        self.seen = set()

    def health(self):
        try:
            answer = self.http.get("/healthz")
        except httpx.TransportError:
            return None
        self.seen.add(answer.json()["status"])
        return answer.json()["status"]

    def waits_for(self, seconds=30):
        """What a starting process says about its server, once it has asked."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            said = self.http.get("/healthz").json()["chroma"]["error"]
            if said != "not asked yet":
                return said
            time.sleep(0.02)
        pytest.fail(f"waited {seconds} s for the process to ask its server")

    def until(self, *wanted, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            now = self.health()
            if now in wanted:
                return now
            if self.process.poll() is not None and None not in wanted:
                pytest.fail(f"ended with {self.process.returncode}: {self.process.communicate()}")
            time.sleep(0.01)
        pytest.fail(f"never {wanted}")

    def end(self, seconds=30):
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err


@pytest.fixture
def start(tmp_path, credential_writer):
    started = []

    def run(folder, **variables):
        given = variables.pop("credential_file", None)
        credential_file = given or credential_writer(tmp_path / f"credential-{len(started)}")
        started.append(Process(folder, credential_file, **variables))
        return started[-1]

    yield run
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


def test_first_start_prepares_the_store_and_a_second_process_is_refused(start, tmp_path):
    folder = tmp_path / "fresh"
    folder.mkdir()
    first = start(folder)
    first.until("ok")
    assert "starting" in first.seen
    second = start(folder)
    code, out, err = second.end()
    assert code == 75
    assert "already written by process" in err
    assert str(first.process.pid) in err
    assert json.loads(out.splitlines()[-1])["message"] == "store.locked"
    assert first.health() == "ok"
    first.process.send_signal(signal.SIGTERM)
    code, out, _ = first.end()
    assert code == 0
    assert [json.loads(line)["message"] for line in out.splitlines()][-1] == "stopped", "every line is JSON"
    with store.WriterLock(folder) as lock:
        assert lock.predecessor is None, "the lock was given back"
        condition = store.prepare(folder).found
    assert condition.is_prepared
    assert (folder / ".cortex/tmp").is_dir()


def test_data_survives_a_restart_and_a_running_request_survives_the_stop(start, copy_store):
    folder = copy_store()
    process = start(folder, stop_grace_s=20)
    process.until("ok")
    process.http.post("/v1/collections", json={"name": "kept"}).raise_for_status()
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
    connection.putrequest("POST", "/v1/collections/kept/documents/stream")
    for name, value in {**ADMIN, "Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders()

    def send(data):
        connection.send(b"%x\r\n%s\r\n" % (len(data), data))

    send(b'{"id": "a", "vector": [1, 2, 3, 4]}\n')
    while process.http.get("/v1/status").json()["load"]["requests"] < 2:
        time.sleep(0.01)
    process.process.send_signal(signal.SIGTERM)
    process.until("stopping")
    refused = process.http.get("/v1/status")
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:cortex:problem:stopping")
    send(b'{"id": "b", "vector": [1, 2, 3, 5]}\n')
    connection.send(b"0\r\n\r\n")
    events = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    assert events[-1]["upserted"] == 2
    assert process.end()[0] == 0
    again = start(folder)
    again.until("ok")
    assert again.http.get("/v1/collections/kept/count").json() == {"count": 2}


@contextlib.contextmanager
def hanging_upload(process):
    """A streamed load into `kept` that is being served, and sends nothing."""
    with socket.create_connection(("127.0.0.1", process.port)) as hanging:
        head = "POST /v1/collections/kept/documents/stream HTTP/1.1\r\nHost: x\r\n"
        head += HEAD + "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        hanging.sendall(head.encode())
        while process.http.get("/v1/status").json()["load"]["requests"] < 2:
            time.sleep(0.01)
        yield


def test_request_that_does_not_end_is_cut_after_the_grace(start, copy_store):
    process = start(copy_store(), stop_grace_s=0.2)
    process.until("ok")
    process.http.post("/v1/collections", json={"name": "kept"}).raise_for_status()
    with hanging_upload(process):
        process.process.send_signal(signal.SIGTERM)
        code, out, _ = process.end(20)
    assert code == 0
    assert "stopping.cut" in out


def test_lingering_process_serves_until_it_refuses_and_grants_its_grace_after_that(start, copy_store):
    process = start(copy_store(), stop_linger_s=2.5, stop_grace_s=1.5)
    process.until("ok")
    process.http.post("/v1/collections", json={"name": "kept"}).raise_for_status()
    with hanging_upload(process):
        told_s = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        process.until("stopping")
        assert process.http.get("/healthz").status_code == 503
        assert process.http.post("/v1/collections", json={"name": "late"}).status_code == 201
        assert process.http.get("/v1/status").status_code == 200
        while (answer := process.http.get("/v1/status")).status_code == 200:
            time.sleep(0.01)
        assert time.monotonic() - told_s >= 2.5
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:cortex:problem:stopping")
        code, out, _ = process.end(20)
        assert time.monotonic() - told_s >= 4.0
    assert code == 0
    assert "stopping.cut" in out


def test_behind_a_gateway_that_waits_nobody_new_is_let_in_and_nobody_there_is_turned_away(start, copy_store):
    process = start(copy_store(), start_wait_s=30, stop_linger_s=2, stop_grace_s=10)
    process.until("ok")
    process.http.post("/v1/collections", json={"name": "kept"}).raise_for_status()
    with hanging_upload(process):
        process.process.send_signal(signal.SIGTERM)
        process.until("stopping")
        assert process.http.get("/v1/status").status_code == 200, "on a connection that was there"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", process.port), timeout=5)
    assert process.end(20)[0] == 0


def test_second_signal_ends_the_lingering_at_once(start, copy_store):
    process = start(copy_store(), stop_linger_s=60)
    process.until("ok")
    process.process.send_signal(signal.SIGTERM)
    process.until("stopping")
    assert process.http.get("/v1/status").status_code == 200
    process.process.send_signal(signal.SIGTERM)
    assert process.end(20)[0] == 0


def test_progress_comes_while_the_body_is_sent(start, copy_store):
    process = start(copy_store(), max_batch_rows=10)
    process.until("ok")
    process.http.post("/v1/collections", json={"name": "live"}).raise_for_status()
    answered = threading.Event()

    def body():
        for row in range(10):
            yield b'{"id": "%d", "vector": [1, 2, 3, 4]}\n' % row
        yield b'{"id": "bad"}\n' + b"\n" * 10
        for row in range(9):
            yield b'{"id": "x%d", "vector": [1, 2, 3, 4]}\n' % row
        assert answered.wait(20), "the failed line was not reported before the body ended"

    with socket.create_connection(("127.0.0.1", process.port), timeout=20) as peer:
        head = "POST /v1/collections/live/documents/stream?on_error=skip HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head += HEAD + "Content-Type: application/x-ndjson\r\n"
        peer.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        sender = threading.Thread(target=_send_chunks, args=(peer, body()))
        sender.start()
        received = b""
        while b'"line":11' not in received:
            piece = peer.recv(65_536)
            assert piece, received
            received += piece
        answered.set()
        sender.join(20)
        while piece := peer.recv(65_536):
            received += piece
    assert b'"event":"done","upserted":19,"failed":1' in received


def _send_chunks(peer, pieces):
    for data in pieces:
        peer.sendall(b"%x\r\n%s\r\n" % (len(data), data))
    peer.sendall(b"0\r\n\r\n")


def test_process_with_a_remote_store_has_none_of_its_own(start, chroma_url, tmp_path):
    token = tmp_path / "chroma-token"
    token.write_text("secret\n")
    folder = tmp_path / "none"
    process = start(folder, storage="remote", chroma_url=chroma_url, chroma_token_file=token)
    process.until("ok")
    name = "remote-process"
    assert process.http.post("/v1/collections", json={"name": name}).status_code == 201
    document = {"documents": [{"id": "a", "vector": [1, 2, 3, 4]}]}
    assert process.http.post(f"/v1/collections/{name}/documents", json=document).status_code == 200
    everything = f"{chroma_url}/api/v2/tenants/default_tenant/databases/default_database/collections"
    assert name in [each["name"] for each in httpx.get(everything, trust_env=False).json()]
    assert process.http.delete(f"/v1/collections/{name}").status_code == 204
    process.process.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0
    assert not folder.exists()


def test_process_that_waits_for_its_server_can_be_stopped(start, tmp_path):
    token = tmp_path / "chroma-token"
    token.write_text("secret")
    process = start(tmp_path, storage="remote", chroma_url="http://127.0.0.1:9", chroma_token_file=token)
    process.until("starting")
    assert "could not be reached" in process.waits_for()
    process.process.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0


def test_wrong_settings_exit_78_with_all_of_them(start, tmp_path):
    code, _, err = start(tmp_path, max_k=0, log_level="loud").end()
    assert code == 78
    assert "CORTEX_MAX_K=0" in err
    assert "CORTEX_LOG_LEVEL=loud" in err


def test_missing_credential_exits_78(start, tmp_path):
    code, _, err = start(tmp_path, credential_file=tmp_path / "none").end()
    assert code == 78
    assert "CORTEX_INNER_CREDENTIAL_FILE" in err


def test_unusable_store_exits_65(start, tmp_path):
    (tmp_path / "chroma.sqlite3").write_bytes(b"not a database, but long enough to be read as one" * 100)
    process = start(tmp_path)
    code, _, err = process.end()
    assert code == 65
    assert "chroma.sqlite3" in err
    assert start(tmp_path / "missing").end()[0] == 65


def test_unusable_model_exits_65(start, copy_store, tmp_path):
    code, _, err = start(copy_store(), model="all-MiniLM-L6-v2", dimensions=384, model_path=tmp_path / "none").end()
    assert code == 65
    assert "CORTEX_MODEL_PATH" in err


def test_importing_chroma_brings_no_exporter_and_no_cluster_client():
    script = (
        "import sys\nfrom cortex_api import chroma_library\nchroma_library.chroma()\n"
        "import cortex_api.app, cortex_api.embedder, os\n"
        "loaded = [name for name in ('grpc', 'kubernetes', 'google.protobuf') if name in sys.modules]\n"
        "print(loaded, os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "1"]
