"""The configuration as text: the two topologies, no secret, answers that are JSON, and numbers from one place."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from infra.gateway import files
from infra.gateway.configuration import configuration, public_files, secret_files
from infra.gateway.gateway import ClientServer, Doors, Gateway, Guard, Replicas, Server, SingleNode
from infra.gateway.limits import Allowance, Patience
from infra.gateway.tokens import GatewayToken, hashed
from infra.vocabulary import Role

GUARD = Guard("chroma", 8081)
TWO = Gateway(ClientServer(Replicas("api", 8080, 16), Server("chroma", 8000, 4), GUARD))
ONE = Gateway(SingleNode(Server("api", 8080, 16), GUARD))
BOTH = pytest.mark.parametrize("gateway", [ONE, TWO], ids=["single-node", "client-server"])
TOKENS = [GatewayToken("app", Role.WRITE, hashed("a-token"))]


def sections(text: str) -> dict[str, list[str]]:
    """First line of a section → its lines."""
    parts = [part.splitlines() for part in text.split("\n\n")]
    return {part[0]: [line.strip() for line in part[1:]] for part in parts}


def test_single_node_has_nothing_of_chroma():
    made = sections(configuration(ONE))
    assert not [head for head in made if "chroma" in head or head == "frontend inner"]
    assert "lua-load" not in configuration(ONE)
    assert "status 501" in "\n".join(made["frontend edge"])
    assert files.OWNERS not in public_files(ONE)
    assert files.INNER_HASHES not in secret_files(ONE, TOKENS, "credential", "pem")


def test_client_server_has_the_inner_door_and_chroma():
    made = sections(configuration(TWO))
    assert {"frontend inner", "backend chroma", "frontend chroma_queue", "backend chroma_server"} <= set(made)
    assert "single-node" not in configuration(TWO)


@BOTH
def test_every_file_that_is_named_is_made(gateway):
    named = set(re.findall(rf"{gateway.folder}/([\w.-]+)", configuration(gateway)))
    made = {*public_files(gateway), *secret_files(gateway, TOKENS, "credential", "pem")}
    assert made == named | {files.CONFIGURATION}


@BOTH
def test_no_secret_is_in_a_public_file(gateway):
    secret = secret_files(gateway, TOKENS, "the-credential", "THE-KEY")
    public = "".join(public_files(gateway).values())
    assert "the-credential" in "".join(secret.values())
    for each in ("the-credential", "THE-KEY", hashed("a-token"), hashed("the-credential")):
        assert each not in public
    assert "the-credential" not in secret.get(files.INNER_HASHES, "")


def test_credentials_can_overlap_during_a_rotation():
    made = secret_files(TWO, TOKENS, "new", "pem", former_credentials=["old"])
    assert made[files.INNER_HASHES].split() == [hashed("new"), "api", hashed("old"), "api"]
    assert made[files.INNER_CREDENTIAL] == "credential new\n"


@pytest.mark.parametrize("credential", ["", "two words", "line\nbreak", "größe"])
def test_a_credential_is_one_word(credential):
    with pytest.raises(ValueError, match="one word"):
        secret_files(TWO, TOKENS, credential, "pem")


@BOTH
def test_each_answer_is_a_problem_document(gateway):
    answers = re.findall(
        r"status (\d+) content-type (\S+) lf-string '([^']*)'((?: hdr \S+ \"(?:[^\"\\]|\\.)*\")*)",
        configuration(gateway),
    )
    assert len(answers) > 20
    for status, kind, body, headers in answers:
        assert kind == "application/problem+json"
        said = json.loads(re.sub(r"%\[[^]]*\]", "x", body))
        assert said["status"] == int(status)
        assert set(said) <= {"type", "title", "status", "detail", "instance", "request_id"}
        assert said["request_id"] == "x"
        assert said["detail"][0].isalpha()
        assert said["type"].startswith("urn:cortex:problem:")
        assert not re.search(r"%(?!\[)", body), "a percent sign of its own starts a variable"
        if status in {"429", "503", "507"}:
            assert "Retry-After" in headers, said


@BOTH
def test_a_server_that_is_restarted_in_place_is_never_taken_out(gateway):
    for head, lines in sections(configuration(gateway)).items():
        for line in lines:
            if line.startswith("server ") and head.startswith(("backend chroma", "backend api")) and gateway is ONE:
                assert " check " not in line
    lone = sections(configuration(TWO))["backend chroma_server"]
    assert not [line for line in lone if " check " in line]


def test_the_number_of_replicas_is_no_part_of_it():
    assert not {field.name for field in dataclasses.fields(Replicas)} & {"count", "replicas", "number"}
    lines = sections(configuration(TWO))["backend api_server"]
    assert [line for line in lines if line.startswith("server-template api 2-16 api:8080")]


def test_waiting_is_what_was_asked_for():
    gateway = dataclasses.replace(TWO, patience=Patience(restart_s=77, queue_s=11))
    made = sections(configuration(gateway))
    assert "retries 77" in made["backend chroma_server"]
    assert "timeout queue 11s" in made["defaults"]
    # One try a second: that is what the number of tries rests on.
    assert "timeout connect 1s" in made["defaults"]
    assert not [line for line in made["backend chroma_server"] if line.startswith("timeout connect")]


def test_places_are_shared_out_and_not_added():
    """Streams have places of their own, out of what the server takes at once."""
    slots = {}
    for head in ("backend api_server", "backend api_stream"):
        (line,) = [line for line in sections(configuration(ONE))[head] if line.startswith("server api ")]
        slots[head] = int(re.search(r"maxconn (\d+)", line)[1])
    assert slots == {"backend api_server": 12, "backend api_stream": 4}


def test_doors_are_as_asked_for():
    closed = configuration(TWO)
    assert "bind :8443 ssl" in closed
    assert "bind :8080" not in closed
    opened = dataclasses.replace(TWO, doors=Doors(tls_port=1443, plain_port=1080, address="127.0.0.1"))
    edge = sections(configuration(opened))["frontend edge"]
    assert edge[0].startswith("bind 127.0.0.1:1443 ssl crt ")
    assert edge[1] == "bind 127.0.0.1:1080"


def test_limits_are_as_asked_for():
    gateway = dataclasses.replace(TWO, allowance=Allowance(body_bytes=1234, requests_per_s_per_token=7))
    text = configuration(gateway)
    assert "{ req.body_size gt 1234 }" in text
    assert "{ sc1_http_req_rate(holders) gt 70 }" in text


def test_an_address_of_ipv6_is_written_so():
    gateway = Gateway(SingleNode(Server("fd00::1", 8080, 4), GUARD))
    assert "server api ipv6@[fd00::1]:8080 " in configuration(gateway)


def test_it_is_the_same_each_time():
    assert configuration(TWO) == configuration(dataclasses.replace(TWO))
