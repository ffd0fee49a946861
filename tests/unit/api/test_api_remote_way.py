"""The way to a remote Chroma: what is sent, what is repeated, and what each refusal becomes. No server."""

from __future__ import annotations

import json

import httpx
import pytest
import structlog
from cortex_api.chroma_refusals import refusal_of
from cortex_api.chroma_transport import ChromaTransport, is_repeatable
from cortex_api.storage import (
    ArgumentRefused,
    CredentialRefused,
    DiskFull,
    NotWritable,
    StorageError,
    StoreBusy,
)

URL = "http://chroma:8000/api/v2/tenants/t/databases/d/collections"
OK = httpx.Response(200, json={})


class Wire(httpx.BaseTransport):
    """Gives the answers one after the other, and keeps what was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    def handle_request(self, request):
        self.sent.append(dict(request.headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def send(wire, method="GET", path="", token=lambda: "secret"):
    request = httpx.Request(method, URL + path, content=b"{}")
    return ChromaTransport(wire, token, timeout_s=7).handle_request(request)


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (401, {}, CredentialRefused),
        (403, {}, CredentialRefused),
        (408, {}, StoreBusy),
        (413, {}, ArgumentRefused),
        (429, {"Retry-After": "3"}, StoreBusy),
        (502, {}, StoreBusy),
        (503, {"Retry-After": "3"}, StoreBusy),
        (504, {}, StoreBusy),
        (507, {"Retry-After": "3"}, NotWritable),
        (507, {}, DiskFull),
    ],
)
@pytest.mark.parametrize(
    "body", ["<html>no</html>", '{"detail": "of  the\\ngateway"}', '{"message": "of Chroma"}', "[]"]
)
def test_a_refusal_of_the_way_has_its_own_error(status, headers, kind, body):
    with pytest.raises(kind) as caught:
        send(Wire(httpx.Response(status, headers=headers, text=body)), "POST", "/x/delete")
    if headers:
        assert caught.value.retry_after_s == 3
    if kind is CredentialRefused:
        assert "CORTEX_CHROMA_TOKEN_FILE" in str(caught.value)
    elif "detail" in body and kind is not ArgumentRefused:
        assert "of the gateway" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 400, 404, 409, 500])
def test_what_chroma_itself_answers_is_left_to_its_client(status):
    assert refusal_of(status, None, "{}") is None
    assert send(Wire(httpx.Response(status, json={"a": 1}))).json() == {"a": 1}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 2),
        ("", 2),
        ("0", 1),
        ("17", 17),
        ("99999", 3_600),
        ("Wed, 21 Oct 2026", 2),
        ("-5", 2),
        ("1" * 5_000, 2),
        ("²", 2),
    ],
)
def test_retry_after_is_whole_seconds_within_reason(header, seconds):
    assert refusal_of(503, header, "").retry_after_s == seconds


def test_a_page_that_is_not_json_is_no_chroma():
    with pytest.raises(StorageError, match="text/html"):
        send(Wire(httpx.Response(200, html="<p>hello</p>")))


@pytest.mark.parametrize(
    ("method", "path", "repeatable"),
    [
        ("GET", "", True),
        ("GET", "/x/count", True),
        ("POST", "/x/query", True),
        ("POST", "/x/get", True),
        ("POST", "/x/search", True),
        ("POST", "/x/upsert", True),
        ("POST", "", False),
        ("POST", "/x/add", False),
        ("POST", "/x/update", False),
        ("POST", "/x/delete", False),
        ("POST", "/x/fork", False),
        ("POST", "/upsert/add", False),
        ("PUT", "/x", False),
        ("DELETE", "/x", False),
    ],
)
@pytest.mark.parametrize(
    "broken", [httpx.RemoteProtocolError("closed"), httpx.ReadError("reset"), httpx.WriteError("x")]
)
def test_only_what_is_repeatable_is_sent_again_and_once(method, path, repeatable, broken):
    assert is_repeatable(httpx.Request(method, URL + path)) is repeatable
    wire = Wire(broken, OK)
    if repeatable:
        assert send(wire, method, path).status_code == 200
    else:
        with pytest.raises(StoreBusy, match="ended the connection"):
            send(wire, method, path)
    assert len(wire.sent) == 1 + repeatable
    again = Wire(broken, broken, OK)
    with pytest.raises(StoreBusy):
        send(again, method, path)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (httpx.ConnectError("refused"), "could not be reached: refused"),
        (httpx.ConnectTimeout(""), "could not be reached: ConnectTimeout"),
        (httpx.PoolTimeout(""), "could not be reached"),
        (httpx.ReadTimeout(""), "did not answer within 7 s"),
        (httpx.WriteTimeout(""), "did not answer within 7 s"),
    ],
)
def test_no_answer_is_not_asked_for_again(broken, words):
    wire = Wire(broken, OK)
    with pytest.raises(StoreBusy, match="chroma:8000") as caught:
        send(wire)
    assert words in str(caught.value)
    assert len(wire.sent) == 1


def test_a_token_that_changed_meanwhile_is_used_at_once():
    tokens = ["old"]

    class Rotated(Wire):
        def handle_request(self, request):
            answer = super().handle_request(request)
            tokens[0] = "new"
            return answer

    wire = Rotated(httpx.Response(401), OK)
    assert send(wire, "POST", "", token=lambda: tokens[0]).status_code == 200
    assert [sent["x-chroma-token"] for sent in wire.sent] == ["old", "new"]


def test_the_request_id_goes_along():
    with structlog.contextvars.bound_contextvars(request_id="abc-1"):
        wire = Wire(OK)
        send(wire)
    assert wire.sent[0]["x-request-id"] == "abc-1"
    wire = Wire(OK)
    send(wire)
    assert "x-request-id" not in wire.sent[0]


@pytest.mark.parametrize(
    ("answer", "status", "retry_after"),
    [
        (httpx.Response(503, headers={"Retry-After": "9"}), 503, "9"),
        (httpx.ConnectError("refused"), 503, "2"),
        (httpx.Response(507, headers={"Retry-After": "9"}, json={"detail": "the disk is 96 % full"}), 507, "9"),
        (httpx.Response(507), 507, None),
        (httpx.Response(401), 500, None),
        (httpx.Response(500, json={"error": "InternalError", "message": "database or disk is full"}), 507, None),
        (httpx.Response(500, json={"error": "InternalError", "message": "database is locked"}), 503, "2"),
        (httpx.Response(500, json={"error": "InternalError", "message": "secret inside"}), 500, None),
        (httpx.Response(409, json={"error": "ChromaError", "message": "Collection [a] already exists"}), 409, None),
    ],
)
def test_callers_are_told_what_to_do(remote_api, monkeypatch, answer, status, retry_after):
    monkeypatch.setattr(remote_api.runtime.storage._http, "_transport", ChromaTransport(Wire(answer), lambda: "s", 1))
    told = remote_api.reader.get("/v1/collections")
    assert (told.status_code, told.headers.get("retry-after")) == (status, retry_after), told.text
    assert "secret" not in json.dumps(told.json())


@pytest.fixture(scope="module")
def store_kind():
    return "remote"


@pytest.fixture(scope="module")
def remote_api(make_api):
    return make_api()
