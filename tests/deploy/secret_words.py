"""All secrets of a stack, and where they must not be."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from infra import names
from tests.deploy.deployment import Deployment

WORDS, CERTIFICATE, AUTHORITY = "cortex:RandomWord", "cortex:ServerCertificate", "cortex:CertificateAuthority"
CHUNK_BYTES = 1 << 22


def secrets_of(deployment: Deployment) -> dict[str, str]:
    """Every secret by its name: words of tokens, the credentials between the parts, a line of each private key."""
    state = json.loads(deployment.run("stack", "export", "--show-secrets").stdout)
    found = {}
    for resource in state["deployment"]["resources"]:
        kind, outputs = resource["type"], resource.get("outputs", {})
        if kind.endswith(WORDS):
            found[resource["urn"].rpartition("::")[2]] = _opened(outputs["value"])
        elif kind.endswith(CERTIFICATE):
            found["key of the certificate"] = key_line(_opened(outputs["bundle"]))
        elif kind.endswith(AUTHORITY):
            found["key of the authority"] = key_line(_opened(outputs["key"]))
    return found


def key_line(pem: str) -> str:
    """The first line of a PEM's private key: how line ends are written does not matter to it."""
    return pem.partition("PRIVATE KEY-----\n")[2].partition("\n")[0]


def shown_in(secrets: Mapping[str, str], places: Mapping[str, str]) -> set[tuple[str, str]]:
    """Which secret stands in which place."""
    return {(name, place) for place, text in places.items() for name, secret in secrets.items() if secret in text}


def all_containers(deployment: Deployment) -> list[str]:
    """Every container with the stack's label, also those that have ended."""
    label = f"label={names.STACK_LABEL}={deployment.name}"
    return deployment.docker(["ps", "--all", "--format", "{{.Names}}", "--filter", label]).split()


def files_of_state(deployment: Deployment) -> str:
    """All that Pulumi keeps of the stack on disk: checkpoints, history, backups; and the settings file."""
    folder = deployment.config_file.parent
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def found_in_image(image: str, secrets: Mapping[str, str]) -> set[str]:
    """Names of the secrets that stand anywhere in an image: in a file of any layer, or in its configuration."""
    found: set[str] = set()
    for piece in _pieces(image, max(map(len, secrets.values()))):
        found |= {name for name, secret in secrets.items() if secret.encode() in piece}
    return found


def _pieces(image: str, overlap: int) -> Iterator[bytes]:
    """The image's archive in pieces that overlap, so that no secret is cut in two."""
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        before = b""
        while piece := saving.stdout.read(CHUNK_BYTES):
            yield before + piece
            before = piece[-overlap:]
    assert saving.returncode == 0, f"docker save {image} ended with {saving.returncode}"


def _opened(value: Any) -> str:
    """A secret output, as an export with open secrets writes it."""
    text: str = json.loads(value["plaintext"])
    return text
