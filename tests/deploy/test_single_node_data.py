"""Real text in, search out; and the data is there after everything that may happen to a container."""

from __future__ import annotations

import pytest

from tests.deploy.deployment import Deployment, wait_for

TEXTS = {
    "backup": "Copies files to another machine every night and restores them after a disk failure.",
    "chess": "Plays chess against a person and knows thousands of openings.",
    "photo": "Edits photographs: crop, rotate, sharpen and correct their colours.",
}
COLLECTION = "survivors"


@pytest.fixture
def stored(deployment: Deployment) -> Deployment:
    """The shared stack with three texts in it."""
    deployment.wait_healthy()
    with deployment.client() as client:
        assert client.post("/v1/collections", json={"name": COLLECTION}).status_code in {200, 201, 409}
        documents = [{"id": key, "text": text, "metadata": {"kind": key}} for key, text in TEXTS.items()]
        answer = client.post(f"/v1/collections/{COLLECTION}/documents", json={"documents": documents})
        assert answer.is_success, answer.text
    return deployment


def assert_all_there(deployment: Deployment) -> None:
    deployment.wait_healthy()
    with deployment.client() as client:
        assert client.get(f"/v1/collections/{COLLECTION}/count").json()["count"] == len(TEXTS)
        body = {"texts": ["a game with a king and a queen"], "k": 1, "include": ["text", "metadata", "distance"]}
        answer = client.post(f"/v1/collections/{COLLECTION}/query", json=body)
        assert answer.is_success, answer.text
        (match,) = answer.json()["results"][0]["matches"]
        assert match["id"] == "chess"
        assert match["text"] == TEXTS["chess"]
        got = client.post(
            f"/v1/collections/{COLLECTION}/documents/get", json={"ids": list(TEXTS), "include": ["text", "vector"]}
        ).json()["documents"]
        assert {document["id"]: document["text"] for document in got} == TEXTS
        assert all(len(document["vector"]) == 384 for document in got)


def test_after_a_replacement(stored: Deployment) -> None:
    before = stored.inspect()["Id"]
    stored.set({"api": {"max_k": stored.settings.get("api", {}).get("max_k", 1_000) - 1}})
    stored.up()
    assert stored.inspect()["Id"] != before
    assert_all_there(stored)


def test_after_a_kill(stored: Deployment) -> None:
    before = stored.inspect()["State"]["StartedAt"]
    stored.docker(["kill", "--signal", "KILL", stored.container()])
    # Docker does not restart what `docker kill` ended; a crash is not asked for, so it is started by hand here.
    stored.start_stopped()
    wait_for(lambda: stored.inspect()["State"]["StartedAt"] > before, "the container to start again")
    assert_all_there(stored)


def test_after_down_and_up(stored: Deployment) -> None:
    assert sorted(stored.stop()) == stored.parts()
    stored.start_stopped()
    stored.up()
    assert_all_there(stored)
    assert stored.preview_is_empty()


def test_after_destroy_and_up(stored: Deployment) -> None:
    refused = stored.run("destroy", "--yes", "--skip-preview", check=False)
    assert refused.returncode != 0
    assert "protected" in refused.stdout + refused.stderr
    assert stored.volume in stored.docker(["volume", "ls", "--quiet"]).split()
    stored.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    assert stored.containers(running=True) == stored.containers(running=False) == []
    assert stored.volume in stored.docker(["volume", "ls", "--quiet"]).split()
    stored.up()
    assert_all_there(stored)


def test_second_process_on_the_store_is_refused(stored: Deployment) -> None:
    before = stored.inspect()
    environment = [item for pair in before["Config"]["Env"] for item in ("--env", pair)]
    secrets = f"cortex-{stored.name}-api-secrets:/run/cortex/secrets:ro"
    intruder = f"cortex-{stored.name}-intruder"
    try:
        stored.docker(
            [
                *("run", "--detach", "--name", intruder, "--network", "none", "--read-only", "--tmpfs", "/tmp"),
                *environment,
                *("--volume", f"{stored.volume}:/data", "--volume", secrets, before["Image"]),
            ]
        )
        code = stored.docker(["wait", intruder]).strip()
        said = stored.docker(["logs", intruder])
    finally:
        stored.docker(["rm", "--force", intruder])
    assert code == "75"
    assert "lock" in said.lower() or said == ""
    assert_all_there(stored)
