from __future__ import annotations

import hashlib
import json
import logging

import pytest
from cortex_api.auth import Gateway, Principal, Role
from cortex_api.logs import configure_logs
from cortex_api.problems import Problem
from cortex_api.watched_file import FileUnusable
from starlette.datastructures import Headers

DIGEST = hashlib.sha256(b"inner-secret").hexdigest()


@pytest.mark.parametrize("path", ["/v1/collections", "/v1/status", "/v1/nope", "/", "/docsx", "/healthz/x"])
def test_everything_but_health_and_docs_is_for_the_gateway(api, gateway_headers, path):
    for headers in (
        {},
        {"X-Cortex-Role": "admin", "X-Cortex-Token-Name": "me"},
        {"Authorization": "Bearer inner-secret", "x-chroma-token": "inner-secret"},
        gateway_headers("admin", credential="wrong"),
        gateway_headers("admin", credential=""),
        gateway_headers("admin", credential=DIGEST),
    ):
        answer = api.anonymous.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["type"] == "urn:cortex:problem:gateway-needed"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/openapi.json", "/docs/swagger-ui.css"])
def test_health_and_docs_are_open(api, path):
    assert api.anonymous.get(path).status_code == 200


def test_roles_include_each_other(api):
    path = api.collection()
    body = {"documents": [{"id": "a", "text": "t"}]}
    assert api.reader.post(f"{path}/documents", json=body).status_code == 403
    assert api.writer.post(f"{path}/documents", json=body).status_code == 200
    assert api.reader.post(f"{path}/query", json={"texts": ["t"]}).status_code == 200
    assert api.reader.post(f"{path}/documents/delete", json={"ids": ["a"]}).status_code == 403
    assert api.writer.post("/v1/collections", json={"name": "abc"}).status_code == 403
    assert api.writer.delete(path).status_code == 403
    refused = api.reader.delete(path).json()
    assert "admin" in refused["detail"]
    assert refused["type"] == "urn:cortex:problem:role-too-low"


@pytest.mark.parametrize(
    "stated",
    [
        {"X-Cortex-Role": None},
        {"X-Cortex-Role": "root"},
        {"X-Cortex-Role": "ADMIN"},
        {"X-Cortex-Role": ""},
        {"X-Cortex-Token-Name": None},
        {"X-Cortex-Token-Name": ""},
        {"X-Cortex-Token-Name": "x" * 101},
        {"X-Cortex-Token-Name": "naïve"},
    ],
)
def test_a_role_or_name_that_is_not_stated_is_refused(api, gateway_headers, stated):
    headers = {name: value for name, value in (gateway_headers("admin") | stated).items() if value is not None}
    answer = api.anonymous.get("/v1/status", headers={name: value.encode("latin-1") for name, value in headers.items()})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:cortex:problem:role-unknown")
    assert next(iter(stated)) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("twice", "status"), [("X-Cortex-Inner", 401), ("X-Cortex-Role", 403), ("X-Cortex-Token-Name", 403)]
)
def test_a_header_that_is_there_twice_counts_for_nothing(api, gateway_headers, twice, status):
    headers = [*gateway_headers("read").items(), (twice, gateway_headers("admin")[twice])]
    assert api.anonymous.get("/v1/status", headers=headers).status_code == status


def test_the_credential_changes_without_a_restart_and_without_a_moment_with_none(
    make_api, credential_writer, gateway_headers
):
    api = make_api()
    fresh = api.as_("admin", credential="fresh-secret")
    for known, old_passes, fresh_passes in (
        (("inner-secret",), True, False),
        (("inner-secret", "fresh-secret"), True, True),
        (("fresh-secret",), False, True),
    ):
        credential_writer(api.credential_file.with_suffix(".new"), *known).replace(api.credential_file)
        assert (api.admin.get("/v1/status").status_code == 200) is old_passes
        assert (fresh.get("/v1/status").status_code == 200) is fresh_passes


@pytest.mark.parametrize(
    "content", ["", "\n", "plain-secret", DIGEST.upper(), f"{DIGEST}\nplain-secret", f'["{DIGEST}"]', "é" * 64]
)
def test_broken_file_is_refused_at_start_and_ignored_later(tmp_path, credential_writer, gateway_headers, content):
    path = credential_writer(tmp_path / "inner-credential")
    gateway = Gateway(path)
    path.write_text(content)
    with pytest.raises(FileUnusable, match="CORTEX_INNER_CREDENTIAL_FILE") as caught:
        Gateway(path)
    assert "plain-secret" not in str(caught.value), "the message does not repeat the file"
    assert gateway.principal(Headers(gateway_headers("write"))) == Principal("write", Role.WRITE), "the old one stays"
    path.unlink()
    assert gateway.principal(Headers(gateway_headers("write"))).role is Role.WRITE


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(FileUnusable, match="No such file"):
        Gateway(tmp_path / "none")


def test_an_empty_credential_is_never_known(tmp_path, gateway_headers):
    path = tmp_path / "inner-credential"
    path.write_text(hashlib.sha256(b"").hexdigest())
    for headers in ({}, gateway_headers("admin", credential="")):
        with pytest.raises(Problem) as caught:
            Gateway(path).principal(Headers(headers))
        assert caught.value.status_code == 401


def test_access_log_has_the_request_but_no_secret(make_api, fake_embedder, capsys):
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    api = make_api(embedder=fake_embedder())
    configure_logs("info", "teststack")
    try:
        path = api.collection()
        api.writer.post(f"{path}/documents", json={"documents": [{"id": "i", "text": "confidential words"}]})
    finally:
        root.handlers[:], root.level = handlers, level
    printed = capsys.readouterr().out
    line = json.loads([each for each in printed.splitlines() if "{name}/documents" in each][-1])
    assert line["route"] == "/v1/collections/{name}/documents"
    assert (line["status"], line["rows"], line["principal"], line["stack"]) == (200, 1, "write", "teststack")
    assert line["ms"] > 0
    assert line["request_id"]
    assert "confidential" not in printed
    assert "inner-secret" not in printed
