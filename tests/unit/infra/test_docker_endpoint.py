"""The docker command is led to another daemon, and nothing of the way stays behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pydantic import SecretStr

from infra.docker_endpoint import Endpoint
from infra.settings import StoreHost

ELSEWHERE = {"DOCKER_HOST": "unix:///x", "DOCKER_CONTEXT": "other", "DOCKER_CERT_PATH": "/y", "DOCKER_TLS_VERIFY": "1"}


def test_a_daemon_over_ssh_with_options(tmp_path):
    (tmp_path / "ssh").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    place = StoreHost(docker="ssh://a@b", address="b", ssh_options=("-o", "IdentityFile=/a key", "-v"))
    base = {**ELSEWHERE, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    with Endpoint.of(place).environment(base) as environ:
        assert environ["DOCKER_HOST"] == "ssh://a@b"
        assert not {"DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"} & environ.keys()
        said = subprocess.run(["sh", "-c", 'ssh -l "a b" c'], env=environ, capture_output=True, text=True, check=True)
        folder = Path(environ["PATH"].partition(os.pathsep)[0])
        assert folder.is_dir()
    assert said.stdout == "-o|IdentityFile=/a key|-v|-l|a b|c|"
    assert not folder.exists()


def test_a_daemon_over_ssh_without_options_has_the_users_own_ssh():
    with Endpoint("ssh://b").environment({"PATH": "/bin"}) as environ:
        assert environ == {"PATH": "/bin", "DOCKER_HOST": "ssh://b"}


def test_a_daemon_over_tcp_has_its_keys_in_a_private_folder():
    place = StoreHost(
        docker="tcp://b:2376",
        address="b",
        ca=SecretStr("of ca"),
        client_certificate=SecretStr("of certificate"),
        client_key=SecretStr("of key"),
    )
    with Endpoint.of(place).environment({"PATH": "/bin", **ELSEWHERE}) as environ:
        folder = Path(environ["DOCKER_CERT_PATH"])
        assert environ["DOCKER_TLS_VERIFY"] == "1"
        assert {each.name: each.read_text() for each in folder.iterdir()} == {
            "ca.pem": "of ca",
            "cert.pem": "of certificate",
            "key.pem": "of key",
        }
        assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_keys_are_not_in_its_text():
    assert "of key" not in repr(Endpoint("tcp://b:1", (), {"key.pem": "of key"}))
