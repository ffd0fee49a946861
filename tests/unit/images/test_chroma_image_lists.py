"""What goes into the image of Chroma's server, and with what it is started."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml
from healthcheck.settings import load_settings

ROOT = Path(__file__).parents[3]
CHROMA = ROOT / "images/chroma"
# rust/frontend/src/config.rs of Chroma 1.5.9: what is not among them is ignored without a word.
KNOWN_KEYS = {
    "allow_reset",
    "circuit_breaker",
    "cors_allow_origins",
    "listen_address",
    "max_payload_size_bytes",
    "open_telemetry",
    "persist_path",
    "port",
    "sqlite_filename",
    "stdout_tracing",
}
config = yaml.safe_load((CHROMA / "chroma.yaml").read_text())


def test_list_is_what_the_command_writes_and_holds_three_things(tmp_path):
    subprocess.run(["sh", str(CHROMA / "lock.sh"), str(tmp_path)], check=True)
    written = (CHROMA / "requirements.lock").read_text()
    assert (tmp_path / "requirements.lock").read_text() == written, "run sh images/chroma/lock.sh"
    assert re.findall(r"^[a-z-]+", written, re.MULTILINE) == ["chromadb", "prometheus-client", "psutil"]
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z])", written))


def test_the_server_is_configured_with_keys_it_knows_and_where_the_guard_looks():
    assert set(config) <= KNOWN_KEYS
    assert config["stdout_tracing"] is True
    assert config["allow_reset"] is False
    guard = load_settings({"HEALTH_SERVER": "chroma"})
    assert config["persist_path"] == guard.store_path
    assert guard.url == f"http://127.0.0.1:{config['port']}/api/v2/heartbeat"


def test_the_image_starts_the_guard_for_chroma_with_that_configuration():
    dockerfile = (CHROMA / "Dockerfile").read_text()
    assert "HEALTH_SERVER=chroma" in dockerfile
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.+)$", dockerfile, re.MULTILINE)
    words = yaml.safe_load(entrypoint)
    assert words[:4] == ["python3", "-m", "healthcheck.guard", "--"]
    assert words[4:] == ["python3", "-m", "chroma_server", "/opt/cortex/chroma.yaml"]
    assert dockerfile.split("ENTRYPOINT")[0].count(f"EXPOSE {config['port']} 8081") == 1


@pytest.mark.parametrize(
    ("given", "left"),
    [({}, None), ({"CHROMA_PORT": "9000"}, "9000"), ({"CHROMA_PORT": "tcp://10.0.0.1:8000"}, None)],
)
def test_the_server_gets_its_configuration_and_no_port_of_kubernetes(monkeypatch, given, left):
    heard = []
    binding = types.SimpleNamespace(cli=heard.append)
    monkeypatch.setitem(sys.modules, "chromadb_rust_bindings", binding)
    spec = importlib.util.spec_from_file_location("chroma_server", CHROMA / "src/chroma_server.py")
    launcher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launcher)
    monkeypatch.delenv("CHROMA_PORT", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    launcher.main(["/x/chroma.yaml"])
    assert heard == [["chroma", "run", "/x/chroma.yaml"]]
    assert launcher.os.environ.get("CHROMA_PORT") == left
