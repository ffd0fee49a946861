"""The stack's secrets: nowhere to be seen, readable by nobody else, and replaced while callers go on."""

from __future__ import annotations

import json
import subprocess

from infra.topologies.parts import API, GATEWAY
from tests.deploy.deployment import Deployment, wait_for
from tests.deploy.inside import ask
from tests.deploy.secret_words import (
    all_containers,
    files_of_state,
    found_in_image,
    secrets_of,
    shown_in,
)
from tests.deploy.steady import steady_calls

CREDENTIAL = "inner-1"


def accepted(deployment: Deployment, token: str) -> bool:
    with deployment.client(token) as client:
        return client.get("/v1/collections").status_code == 200


def test_secrets_are_nowhere_in_the_open(deployment: Deployment) -> None:
    secrets = secrets_of(deployment)
    assert set(secrets) >= {CREDENTIAL, "key of the certificate", "key of the authority"}
    assert sum(name.startswith("token-") for name in secrets) >= len(deployment.settings["tokens"])
    assert all(len(secret) >= 43 for secret in secrets.values())
    with deployment.client() as client:
        assert client.get("/v1/status").status_code == 200
    containers = all_containers(deployment)
    assert len(containers) > len(deployment.parts()), "those that wrote the files are among them"
    places = {
        **{f"inspect of {name}": deployment.docker(["inspect", name]) for name in containers},
        **{f"changes in {name}": deployment.docker(["diff", name]) for name in containers},
        "settings and state": files_of_state(deployment),
        "export": deployment.run("stack", "export").stdout,
    }
    for name in deployment.parts():
        host = deployment.host("root", name)
        places[f"log of {name}"] = _log(deployment, name)
        places[f"environments in {name}"] = host.run("cat /proc/[0-9]*/environ").stdout
        places[f"command lines in {name}"] = host.run("cat /proc/[0-9]*/cmdline").stdout
    assert '"token":"admin"' in places[f"log of {deployment.container(GATEWAY)}"], "the request is in the log"
    assert shown_in(secrets, places) == set()


def _log(deployment: Deployment, name: str) -> str:
    """Both streams of a container's log."""
    command = ["docker", "logs", name]
    done = subprocess.run(
        command, env=deployment.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    return done.stdout


def test_images_hold_no_secret(deployment: Deployment) -> None:
    secrets = secrets_of(deployment)
    for name in deployment.parts():
        image = deployment.inspect(name)["Image"]
        assert found_in_image(image, {**secrets, "an image's own text": "org.opencontainers.image.title"}) == {
            "an image's own text"
        }, name
        assert shown_in(secrets, {name: deployment.docker(["history", "--no-trunc", image])}) == set()


def test_files_are_readable_by_the_servers_group_only(deployment: Deployment) -> None:
    wanted = {
        API: ("/run/cortex/secrets", {"inner-credential"}),
        GATEWAY: (
            "/run/cortex/gateway",
            {"tokens.map", "reaches.map", "inner-credential.map", "certificate.pem"}
            | {"haproxy.cfg", "endpoints.map", "methods.map"},
        ),
    }
    for part, (folder, names) in wanted.items():
        host = deployment.host("root", part)
        assert set(host.check_output(f"ls -A {folder}").split()) == names, part
        for name in names:
            file = host.file(f"{folder}/{name}")
            assert (file.uid, file.gid, file.mode) == (0, 10001, 0o440), name
        assert host.file(folder).mode & 0o007 == 0, folder


def test_each_container_holds_only_what_it_needs(deployment: Deployment) -> None:
    """The API cannot act as the gateway, and nobody can ask with what either of them keeps of a token."""
    secrets = secrets_of(deployment)
    held = {
        part: deployment.host("root", part).check_output(f"cat {folder}/*")
        for part, folder in ((API, "/run/cortex/secrets"), (GATEWAY, "/run/cortex/gateway"))
    }
    assert shown_in(secrets, held) == {(CREDENTIAL, GATEWAY), ("key of the certificate", GATEWAY)}


def test_the_api_takes_requests_from_the_gateway_only(deployment: Deployment) -> None:
    secret = secrets_of(deployment)[CREDENTIAL]
    hashed = deployment.host("root", API).check_output("cat /run/cortex/secrets/inner-credential").split()[0]
    url, role = "http://api:8080/v1/collections", {"X-Cortex-Role": "admin", "X-Cortex-Token-Name": "admin"}
    assert ask(deployment, GATEWAY, url, {"X-Cortex-Inner": secret, **role}).status == 200
    token = deployment.token()
    for headers in (
        {},
        role,
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"Bearer {token}", **role},
        {"X-Cortex-Inner": hashed, **role},
        {"X-Cortex-Inner": token, **role},
        {"X-Cortex-Inner": "", **role},
        {"X-Cortex-Inner": secret[:-1], **role},
    ):
        answer = ask(deployment, GATEWAY, url, headers)
        assert answer.status == 401, (headers, answer)
        assert "gateway" in json.loads(answer.text)["detail"]


def test_nobody_outside_can_speak_as_the_gateway(deployment: Deployment) -> None:
    inner = {"X-Cortex-Inner": secrets_of(deployment)[CREDENTIAL], "X-Cortex-Role": "admin"}
    with deployment.client(deployment.token("reader")) as client:
        for headers in (inner, {name.replace("-", "_"): value for name, value in inner.items()}):
            answer = client.post("/v1/collections", json={"name": "not-mine"}, headers=headers)
            assert answer.status_code == 403, answer.text
        del client.headers["Authorization"]
        assert client.get("/v1/collections", headers=inner).status_code == 401


def test_a_token_is_replaced_without_a_moment_without_a_valid_one(deployment: Deployment) -> None:
    """Add, deploy, hand out, remove; the gateway goes on running and loads what changed."""
    kept, before = deployment.settings["tokens"], deployment.inspect(GATEWAY)
    api, old = deployment.inspect(API), deployment.token()
    (generation,) = kept["admin"].get("generations", [1])

    with steady_calls(deployment, old) as calls:
        both = {**kept["admin"], "generations": [generation, generation + 1]}
        deployment.set({"tokens": {**kept, "admin": both}})
        deployment.up()
        new = deployment.token()
        assert new != old
        wait_for(lambda: accepted(deployment, new), "the new word to be accepted", 30)
        assert accepted(deployment, old)
    assert calls.failures == []
    assert calls.answered > 10

    with steady_calls(deployment, new) as calls:
        deployment.set({"tokens": {**kept, "admin": {**both, "generations": [generation + 1]}}})
        deployment.up()
        assert deployment.token() == new
        wait_for(lambda: not accepted(deployment, old), "the old word to be refused", 30)
    assert calls.failures == []
    assert calls.answered > 10

    with deployment.client(old) as client:
        assert client.get("/v1/collections").json()["type"] == "urn:cortex:problem:token-unknown"
    for part, then in ((GATEWAY, before), (API, api)):
        now = deployment.inspect(part)
        assert (now["Id"], now["State"]["StartedAt"]) == (then["Id"], then["State"]["StartedAt"]), part
    assert deployment.preview_is_empty()
