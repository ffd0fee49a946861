"""A container that does one thing and ends, run by a resource of its own: what it says is known to the program.

A Docker container as a resource would count as made even when what it did failed, and would not be tried again.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from infra import names
from infra.docker_endpoint import Endpoint

TAIL_CHARACTERS = 4_000
TMPFS_BYTES = 64 << 20
REMOVE_LIMIT_S = 60


class OneShotError(Exception):
    """It failed; the message holds what it said."""


def run(wanted: Mapping[str, Any], given: str) -> str:
    """Run the container to its end, with nothing secret where `docker inspect` or a process list shows it.

    Args:
        wanted: `stack`, `part`, `image`, `command`, `environment`, `user`, `memory_bytes`, `network` (empty for none),
            `mounts` (each as `docker run --mount` has it), `limit_s`, and `docker`, the endpoint of another host as
            `Endpoint` has it. For the program's own host that is None, or not there: the engine drops what is None.
        given: What it reads from its standard input.

    Returns:
        What it printed.

    Raises:
        OneShotError: It failed, or took too long.
    """
    name = names.on_host(wanted["stack"], wanted["part"])
    elsewhere = wanted.get("docker")
    if elsewhere is None:
        return _run(name, wanted, given, None)
    with Endpoint(**elsewhere).environment() as environ:
        return _run(name, wanted, given, environ)


def _run(name: str, wanted: Mapping[str, Any], given: str, environ: Mapping[str, str] | None) -> str:
    # One that a killed `up` left behind may still be at work: it is ended before another one begins.
    _remove(name, environ)
    try:
        done = _docker(["run", "--name", name, *_options(wanted)], environ, given, float(wanted["limit_s"]))
    except subprocess.TimeoutExpired:
        raise OneShotError(f"{wanted['part']} took longer than {wanted['limit_s']:.0f} s, and was ended") from None
    finally:
        _remove(name, environ)
    if done.returncode:
        raise OneShotError(done.stderr.strip()[-TAIL_CHARACTERS:] or f"it ended with exit code {done.returncode}")
    return done.stdout


def _remove(name: str, environ: Mapping[str, str] | None) -> None:
    # Beside one that is still there no other can be begun, and Docker says so.
    with contextlib.suppress(subprocess.TimeoutExpired):
        _docker(["rm", "--force", name], environ, "", REMOVE_LIMIT_S)


def _options(wanted: Mapping[str, Any]) -> Sequence[str]:
    memory = str(int(wanted["memory_bytes"]))
    mounts = [part for mount in wanted["mounts"] for part in ("--mount", mount)]
    variables = [part for name, value in wanted["environment"].items() for part in ("--env", f"{name}={value}")]
    command = [str(word) for word in wanted["command"]]
    return [
        *("--rm", "--interactive", "--log-driver", "none"),
        *("--label", f"{names.STACK_LABEL}={wanted['stack']}", "--label", f"{names.KIND_LABEL}={names.WRITER}"),
        *("--user", wanted["user"], "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--tmpfs", f"/tmp:rw,noexec,nosuid,nodev,size={TMPFS_BYTES}"),  # noqa: S108 - a mount
        *("--memory", memory, "--memory-swap", memory),
        *("--network", wanted["network"] or "none"),
        *mounts,
        *variables,
        *("--entrypoint", command[0], wanted["image"], *command[1:]),
    ]


def _docker(
    arguments: Sequence[str], environ: Mapping[str, str] | None, given: str, limit_s: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], env=environ, input=given, capture_output=True, text=True, timeout=limit_s, check=False
    )
