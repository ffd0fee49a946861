"""How the gateway's container runs HAProxy: under the guard, which watches the files and has them loaded."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from infra.gateway import files
from infra.gateway.gateway import Gateway

HEALTH_PATH = "/healthz"


def command(gateway: Gateway) -> tuple[str, ...]:
    """HAProxy with a master that starts new workers on SIGUSR2. The image's own command, for the default folders."""
    # -db: in the foreground. -S: the master's socket, which tells its workers.
    master = f"{gateway.runtime_folder}/master.sock"
    return ("haproxy", "-W", "-db", "-S", master, "-f", f"{gateway.folder}/{files.CONFIGURATION}")


def environment(gateway: Gateway) -> Mapping[str, str]:
    """Variables of the guard in the gateway's container; the rest have their defaults (docs/health.md)."""
    check = ("haproxy", "-c", "-f", f"{gateway.folder}/{files.CONFIGURATION}")
    return {
        "CORTEX_STACK": gateway.stack,
        "HEALTH_SERVER": "none",
        "HEALTH_URL": f"http://{gateway.doors.address or '127.0.0.1'}:{gateway.doors.metrics_port}{HEALTH_PATH}",
        "HEALTH_CERTIFICATE": f"{gateway.folder}/{files.CERTIFICATE}",
        "HEALTH_RELOAD_WATCH": str(gateway.folder),
        "HEALTH_RELOAD_CHECK": shlex.join(check),
    }
