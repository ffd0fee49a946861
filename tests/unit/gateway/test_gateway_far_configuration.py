"""The configurations of a gateway whose Chroma is far, and of the door it goes to, as text."""

from __future__ import annotations

import re

import pytest

from infra.gateway import files
from infra.gateway.configuration import configuration, door_files, public_files, secret_files
from infra.gateway.gateway import ClientServer, Far, Gateway, Guard, Replicas, Server, StoreDoor
from infra.gateway.memory import memory_bytes

NAME = "store.dev.internal"
API = Replicas("api", 8080, 16)
FAR = Gateway(ClientServer(API, Server("10.9.8.7", 8443, 4), Guard("10.9.8.7", 8443), Far(NAME)))
NEAR = Gateway(ClientServer(API, Server("chroma", 8000, 4), Guard("chroma", 8081)))
DOOR = Gateway(StoreDoor(Server("chroma", 8000, 4), Guard("chroma", 8081)))


def sections(text: str) -> dict[str, list[str]]:
    """First line of a section → its lines."""
    parts = [part.splitlines() for part in text.split("\n\n")]
    return {part[0]: [line.strip() for line in part[1:]] for part in parts}


def test_whatever_leads_to_the_other_host_is_verified():
    lines = [line for line in configuration(FAR).splitlines() if "10.9.8.7" in line]
    assert len(lines) == 4  # requests, metrics, and two checks
    for line in lines:
        assert f" ssl verify required ca-file /run/cortex/gateway/authority.pem verifyhost {NAME} " in line
    assert "10.9.8.7" not in configuration(NEAR)
    assert " ssl " not in "".join(
        line for line in configuration(NEAR).splitlines() if line.strip().startswith("server")
    )


def test_requests_and_checks_show_the_credential_and_the_text_does_not_hold_it():
    text = configuration(FAR)
    shown = "%[str(credential),map(/run/cortex/gateway/inner-credential.map)]"
    assert text.count(f"x-chroma-token {shown}") == 4
    assert "the-credential" not in "".join(public_files(FAR).values())
    assert "x-chroma-token %[" not in configuration(NEAR)


@pytest.mark.parametrize("gateway", [FAR, DOOR], ids=["gateway", "door"])
def test_every_file_that_is_named_is_made(gateway):
    named = set(re.findall(rf"{gateway.folder}/([\w.-]+)", configuration(gateway)))
    secret = door_files(["c"], "pem") if gateway is DOOR else secret_files(gateway, [], "c", "pem", authority="pem")
    assert {*public_files(gateway), *secret} == named | {files.CONFIGURATION}


def test_the_way_cannot_be_made_without_the_authority():
    with pytest.raises(ValueError, match="authority"):
        secret_files(FAR, [], "credential", "pem")


def test_the_door_keeps_hashes_and_refuses_what_is_no_credential():
    made = door_files(["new", "old"], "THE-KEY")
    assert [line.split()[1] for line in made[files.INNER_HASHES].splitlines()] == ["api", "api"]
    assert "new" not in made[files.INNER_HASHES]
    with pytest.raises(ValueError, match="one word"):
        door_files(["two words"], "pem")


def test_a_request_is_sent_again_by_one_of_the_two_only():
    """Each try may cost Chroma a crash."""
    assert "empty-response" in configuration(FAR)
    assert "empty-response" not in configuration(DOOR)
    assert "retry-on conn-failure" in sections(configuration(DOOR))["backend chroma_server"]


def test_the_gateway_waits_as_long_as_the_door_may():
    def longest(gateway: Gateway, section: str) -> int:
        (line,) = [line for line in sections(configuration(gateway))[section] if line.startswith("timeout server")]
        return int(line.split()[2].rstrip("s"))

    patience = FAR.patience
    door_s = patience.queue_s + patience.restart_s + patience.answer_s
    assert longest(FAR, "backend chroma_server") == door_s
    assert longest(FAR, "backend chroma") == patience.queue_s + patience.restart_s + door_s
    assert longest(NEAR, "backend chroma") == door_s


def test_the_door_has_no_token_of_a_caller_no_api_and_one_way_in():
    text = configuration(DOOR)
    made = sections(text)
    assert [head for head in made if head.startswith("frontend")] == ["frontend metrics", "frontend store"]
    assert "ssl-min-ver TLSv1.3" in next(line for line in made["frontend store"] if line.startswith("bind"))
    assert "/v1" not in public_files(DOOR)[files.ENDPOINTS]
    assert not {files.TOKENS, files.REACHES, files.INNER_CREDENTIAL} & {*door_files(["c"], "pem")}


def test_a_door_needs_less_memory_than_a_gateway():
    assert 0 < memory_bytes(DOOR) < memory_bytes(NEAR)
