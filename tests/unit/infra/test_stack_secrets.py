"""A stack's secrets: secret wherever they go, in nothing that `docker inspect` shows, and written by a bare writer."""

from __future__ import annotations

import json
import subprocess

import pytest

from infra.gateway import files
from infra.gateway.tokens import hashed
from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH
from tests.unit.infra.pulumi_recorder import in_clear, is_secret, known, opened
from tests.unit.infra.rendered_stack import AUTHORITY, CERTIFICATE, CONTAINER, WORD, dev, rendered

TOKEN, INNER = "word-of-token-admin-1", "word-of-inner-1"
KEY, BUNDLE = "key-of-authority-dev", "bundle-of-certificate-dev"
BACKUP_KEY = "word-of-backup-key-1"
WRITERS = ("api-secrets-writer", "gateway-files-writer", "backup-secrets-writer", "drill-secrets-writer")


def uploaded(recorder, writer):
    """File → content of what a writer brings."""
    uploads = recorder.one(CONTAINER, writer).inputs["uploads"]
    return {each["file"]: each["content"] for each in opened(uploads)}


@BOTH
def test_words_and_keys_are_secret_outputs(topology):
    for name in ("token-admin-1", "inner-1", "backup-key-1"):
        assert list(dev(topology).one(WORD, name).request.additionalSecretOutputs) == ["value"]
    assert list(dev(topology).one(AUTHORITY, "authority-dev").request.additionalSecretOutputs) == ["key"]
    assert list(dev(topology).one(CERTIFICATE, "certificate-dev").request.additionalSecretOutputs) == ["bundle"]


@BOTH
@pytest.mark.parametrize("secret", [TOKEN, INNER, KEY, BUNDLE, BACKUP_KEY])
def test_a_secret_is_nowhere_in_clear(topology, secret):
    for entry in dev(topology).registered.values():
        assert secret not in json.dumps(in_clear(entry.inputs), default=str), entry.urn


@BOTH
def test_a_secret_goes_where_it_is_needed_and_nowhere_else(topology):
    def holding(secret: str) -> set[tuple[str, str]]:
        return {
            (entry.request.name, key)
            for entry in dev(topology).registered.values()
            for key, value in entry.inputs.items()
            if secret in json.dumps(opened(value), default=str)
        }

    # Each base carries what callers rely on. But for that, only a token's hash leaves the state.
    carried = ("backup-secrets-writer", "uploads")
    assert holding(TOKEN) == {carried}
    assert holding(hashed(TOKEN)) == {("gateway-files-writer", "uploads")}
    shown = {"gateway-files-writer"} | ({"api-secrets-writer"} if topology is Topology.CLIENT_SERVER else set())
    assert holding(INNER) == {(name, "uploads") for name in shown}
    assert holding(KEY) == {carried, ("certificate-dev", "authority_key")}
    assert holding(BUNDLE) == {("gateway-files-writer", "uploads")}
    # The drill opens bases, and has nothing of what they carry but through them.
    assert holding(BACKUP_KEY) == {carried, ("drill-secrets-writer", "uploads")}


@BOTH
def test_no_container_is_told_a_secret_or_its_hash(topology):
    for entry in dev(topology).registered.values():
        if entry.request.type == CONTAINER:
            told = json.dumps(opened([entry.inputs.get(key) for key in ("envs", "command", "entrypoints", "labels")]))
            for secret in (TOKEN, INNER, KEY, BUNDLE, BACKUP_KEY):
                assert secret not in told
                assert hashed(secret) not in told


@BOTH
def test_what_a_writer_brings_is_a_secret(topology):
    for writer in WRITERS:
        assert is_secret(dev(topology).one(CONTAINER, writer).inputs["uploads"])


def test_the_api_that_holds_the_store_gets_only_a_hash():
    assert uploaded(dev(), "api-secrets-writer") == {"/run/cortex/secrets/inner-credential.new": f"{hashed(INNER)}\n"}


def test_a_replica_gets_the_hash_and_what_to_show():
    assert uploaded(dev(Topology.CLIENT_SERVER), "api-secrets-writer") == {
        "/run/cortex/secrets/inner-credential.new": f"{hashed(INNER)}\n",
        "/run/cortex/secrets/chroma-token.new": INNER,
    }


@BOTH
def test_the_gateway_gets_hashes_of_tokens_the_inner_credential_and_its_certificate(topology):
    brought = uploaded(dev(topology), "gateway-files-writer")
    made = {path.removeprefix("/run/cortex/gateway/").removesuffix(".new"): text for path, text in brought.items()}
    assert made[files.TOKENS] == f"{hashed(TOKEN)} admin|admin|0|unlimited\n"
    assert made[files.INNER_CREDENTIAL] == f"credential {INNER}\n"
    assert made[files.CERTIFICATE] == BUNDLE
    assert (files.INNER_HASHES in made) is (topology is Topology.CLIENT_SERVER)
    assert all(brought.values())  # Docker takes no empty file


@BOTH
def test_archiver_and_drill_get_the_key_and_only_the_archiver_what_a_rebuilt_stack_must_have_again(topology):
    told = {}
    for name in ("backup", "drill"):
        ((path, text),) = uploaded(dev(topology), f"{name}-secrets-writer").items()
        assert path == "/run/cortex/secrets/backup.json.new"
        told[name] = json.loads(text)
        assert told[name]["key"] == BACKUP_KEY
        mounts = dev(topology).one(CONTAINER, name).inputs["mounts"]
        volume = {"type": "volume", "source": f"cortex-dev-{name}-secrets", "target": "/run/cortex/secrets"}
        assert [each for each in mounts if each["source"].endswith(("-secrets", "-files"))] == [
            {**volume, "readOnly": True}
        ]
    assert json.loads(told["drill"]["state"]) == {"stack": "dev", "secrets": {}}
    assert json.loads(told["backup"]["state"]) == {
        "stack": "dev",
        "secrets": {
            "token-admin-1": TOKEN,
            "authority": "certificate-of-authority-dev",
            "authority-key": KEY,
        },
    }


@BOTH
@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_has_no_network_no_log_and_little_else(topology, writer):
    entry = dev(topology).one(CONTAINER, writer)
    made = entry.inputs
    assert (made["networkMode"], made["logDriver"], made["restart"]) == ("none", "none", "no")
    assert (made["mustRun"], made["attach"]) == (False, True)
    assert made["user"] == "0:0"  # within the container, to hand the files over
    assert made["capabilities"] == {"drops": ["ALL"], "adds": ["CAP_CHOWN", "CAP_FOWNER"]}
    assert made["securityOpts"] == ["no-new-privileges"]
    assert made["memory"] == made["memorySwap"] == 64
    volume = "cortex-dev-" + writer.removesuffix("-writer")
    assert [mount["source"] for mount in made["mounts"]] == [volume]
    assert not entry.request.deleteBeforeReplace
    assert "name" not in made


@BOTH
@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_puts_exactly_its_files_in_place(tmp_path, topology, writer):
    """Its script is run, in a folder of this test, with a `chown` that only notes what it is asked for."""
    made = dev(topology).one(CONTAINER, writer).inputs
    (mount,) = made["mounts"]
    wanted = {path.removeprefix(mount["target"] + "/"): text for path, text in uploaded(dev(topology), writer).items()}
    folder, programs = tmp_path / "files", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for name, text in wanted.items():
        (folder / name).write_text(text)
    for left in ("tokens.json", "half.new", "haproxy.cfg"):
        (folder / left).write_text("of an earlier run")
    (folder / "former").mkdir()
    (programs / "chown").write_text('#!/bin/sh\necho "$@" >> ../chowned\n')
    (programs / "chown").chmod(0o755)
    (command,) = made["command"]
    assert made["entrypoints"] == ["/bin/sh", "-euc"]
    subprocess.run(
        ["/bin/sh", "-euc", command.replace(mount["target"], str(folder))],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        check=True,
        timeout=20,
    )
    there = {path.name: path.read_text() for path in folder.iterdir()}
    assert there == {name.removesuffix(".new"): text for name, text in wanted.items()}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o440}
    # The group of the containers that read them; root stays their owner.
    owner, *handed = (tmp_path / "chowned").read_text().split()
    assert (owner, set(handed)) == ("0:10001", set(wanted))


@BOTH
def test_a_given_certificate_is_used_as_it_is_and_none_is_made(topology):
    made = []
    recorder = rendered({"topology": topology.value, "tls": {"given": "the-chain-and-key"}}, made=made)
    kinds = {entry.request.type for entry in recorder.registered.values()}
    assert not kinds & {AUTHORITY, CERTIFICATE}
    secrets = made[0].secrets
    assert (secrets.authority, secrets.ends) == (None, None)
    assert known(secrets.values["certificate"], "is_secret")
    assert uploaded(recorder, "gateway-files-writer")["/run/cortex/gateway/certificate.pem.new"] == "the-chain-and-key"
    for entry in recorder.registered.values():
        assert "the-chain-and-key" not in json.dumps(in_clear(entry.inputs), default=str)


@BOTH
def test_the_certificate_is_made_for_the_names_of_the_plan_and_signed_by_the_stacks_authority(topology):
    made = dev(topology).one(CERTIFICATE, "certificate-dev").inputs
    assert made["names"] == ["localhost", "127.0.0.1", "::1"]
    assert (made["days"], made["generation"]) == (180, 1)
    assert made["authority_certificate"] == "certificate-of-authority-dev"
    assert is_secret(made["authority_key"])
    authority = dev(topology).one(AUTHORITY, "authority-dev").inputs
    assert (authority["name"], authority["generation"]) == ("dev", 1)
