"""Real clients at the deployed gateway, over TLS with a token: each program of docs/clients.md prints what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.images import ROOT
from tests.deploy import client_environments
from tests.deploy.deployment import Deployment

LIMIT_S = 120
OWN = ("Python: chromadb", "Python, asynchronous: chromadb")
OTHERS = ("LangChain: langchain-chroma", "LlamaIndex: llama-index-vector-stores-chroma")
JAVASCRIPT = "JavaScript: chromadb of npm"


@dataclass(frozen=True)
class Snippet:
    """A program, and what it prints."""

    program: str
    prints: str


def snippets() -> dict[str, Snippet]:
    """Those of docs/clients.md, by their headings."""
    _, *sections = (ROOT / "docs/clients.md").read_text().split("\n## ")
    found = {}
    for section in sections:
        program, prints = re.findall(r"^```(?:python|javascript|text)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        found[section.partition("\n")[0]] = Snippet(program, prints)
    return found


def run(stack: Deployment, folder: Path, command: list[str], **more: str) -> str:
    """Run a program as its reader would: a token and an address in the environment, the certificate beside it."""
    assert stack.authority is not None
    (folder / "cortex-ca.pem").write_text(stack.authority)
    told = {"CORTEX_TOKEN": stack.token("writer"), "CORTEX_PORT": str(stack.settings["access"]["port"])}
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, **told, **more},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_snippet_is_run() -> None:
    assert set(snippets()) == {*OWN, *OTHERS, JAVASCRIPT}


@pytest.mark.parametrize("name", OWN)
def test_chromas_own_client(client_server: Deployment, tmp_path: Path, name: str) -> None:
    snippet = snippets()[name]
    assert run(client_server, tmp_path, [sys.executable, "-c", snippet.program]) == snippet.prints


@pytest.mark.parametrize("name", OWN)
def test_chromas_own_client_trusts_nobody_else(client_server: Deployment, tmp_path: Path, name: str) -> None:
    program = snippets()[name].program.replace('"cortex-ca.pem"', "True")
    with pytest.raises(AssertionError, match=r"(?s)certificate verify failed|CERTIFICATE_VERIFY_FAILED"):
        run(client_server, tmp_path, [sys.executable, "-c", program])


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", OTHERS)
def test_what_is_built_on_chromas_client(client_server: Deployment, tmp_path: Path, name: str) -> None:
    snippet = snippets()[name]
    assert run(client_server, tmp_path, [str(client_environments.python()), "-c", snippet.program]) == snippet.prints


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_javascript_client(client_server: Deployment, tmp_path: Path) -> None:
    snippet = snippets()[JAVASCRIPT]
    node, modules = client_environments.node()
    (tmp_path / "notes.mjs").write_text(snippet.program)
    (tmp_path / "node_modules").symlink_to(modules / "node_modules")
    said = run(client_server, tmp_path, [str(node), "notes.mjs"], NODE_EXTRA_CA_CERTS="cortex-ca.pem")
    assert said == snippet.prints
