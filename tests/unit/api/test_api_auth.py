from __future__ import annotations

import json
import logging

import pytest
from cortex_api.auth import Role, Tokens, TokensError, bearer, read_tokens
from cortex_api.logs import configure_logs


@pytest.mark.parametrize("path", ["/v1/collections", "/v1/status", "/v1/nope", "/", "/docsx", "/healthz/x"])
def test_everything_but_health_and_docs_needs_a_token(api, path):
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer "},
    ):
        answer = api.anonymous.get(path, headers=headers)
        assert answer.status_code == 401
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


def test_rotation_needs_no_restart(make_api, tokens_writer):
    api = make_api()
    assert api.admin.get("/v1/status").status_code == 200
    replacement = tokens_writer(api.tokens_file.with_suffix(".new"), {"rotated-token": "admin"})
    replacement.replace(api.tokens_file)
    assert api.admin.get("/v1/status").status_code == 401
    assert api.as_("rotated-token").get("/v1/status").status_code == 200


@pytest.mark.parametrize("content", ["", "[]", "{}", '[{"name": "a", "role": "god", "sha256": "00"}]', "[{}]"])
def test_broken_file_is_refused_at_start_and_ignored_later(tmp_path, tokens_writer, content):
    path = tokens_writer(tmp_path / "tokens.json")
    tokens = Tokens(path)
    path.write_text(content)
    with pytest.raises(TokensError, match="CORTEX_TOKENS_FILE"):
        read_tokens(path)
    assert tokens.authenticate("admin-token").role is Role.ADMIN, "the old tokens stay valid"


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(TokensError, match="No such file"):
        Tokens(tmp_path / "none.json")


def test_error_does_not_repeat_the_file(tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps([{"name": "a", "role": "admin", "sha256": "plain-secret"}]))
    with pytest.raises(TokensError) as caught:
        read_tokens(path)
    assert "plain-secret" not in str(caught.value)


def test_bearer_is_parsed_strictly():
    assert bearer("Bearer abc") == "abc"
    assert bearer("bearer abc") == "abc"
    assert bearer("Token abc") is None
    assert bearer(None) is None


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
    assert "writer-token" not in printed
