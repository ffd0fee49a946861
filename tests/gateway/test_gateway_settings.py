"""HAProxy takes what is made of a stack's settings, the least and the most of them too."""

from __future__ import annotations

import subprocess

import pytest

from infra import topologies
from infra.plan import CERTIFICATE
from infra.settings import load_settings
from infra.vocabulary import Topology

CHECK_LIMIT_S = 60
LEAST = {
    "connections": 10,
    "connections_per_address": 1,
    "requests_per_s_per_address": 1,
    "requests_per_s_per_token": 1,
}
LEAST |= {"queue": 1, "queue_s": 1, "restart_s": 1, "answer_s": 1, "slots": 1}
MOST = {"connections": 100_000, "connections_per_address": 100_000, "requests_per_s_per_address": 1_000_000}
MOST |= {"requests_per_s_per_token": 1_000_000, "queue": 10_000, "queue_s": 600, "restart_s": 600, "answer_s": 3_600}
MOST |= {"slots": 1_000, "credential_generations": [3, 2, 1]}
TOKENS = {
    "admin": {"role": "admin", "generations": [1, 2]},
    "search": {"role": "read", "expires": "2027-01-31T00:00:00Z"},
    "a-dot.and_more": {"role": "write"},
}


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"gateway": LEAST, "api": {"max_concurrent_requests": 2, "max_body_mib": 1}},
        {"gateway": MOST, "api": {"max_concurrent_requests": 1_000, "max_body_mib": 1_024}},
        {"access": {"plain_port": 80}, "health": {"port": 9090}, "tokens": TOKENS},
    ],
    ids=["defaults", "least", "most", "doors-and-tokens"],
)
@pytest.mark.parametrize("topology", list(Topology))
def test_haproxy_takes_it(haproxy, certificate, tmp_path, topology, raw):
    settings = load_settings({"topology": topology.value, **raw}, "dev")
    plan = topologies.plan("dev", settings, topologies.sized(settings), None)
    secrets = {word.key: f"word-of-{word.key}" for word in plan.words} | {CERTIFICATE: certificate.read_text()}
    volume = plan.gateway.files
    for name, text in volume.content(secrets).items():
        (tmp_path / name).write_text(text.replace(volume.mount_path, str(tmp_path)))
    done = subprocess.run(
        ["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")],
        capture_output=True,
        text=True,
        timeout=CHECK_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The names behind it have no addresses on this machine; nothing else is found wrong.
    said = [line for line in done.stderr.splitlines() if "[ALERT]" in line or "[WARNING]" in line]
    assert [line for line in said if "could not resolve address" not in line] == []
