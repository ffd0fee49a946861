"""What can be known of the Docker host before anything is made on it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra import names
from infra.docker_endpoint import Endpoint
from infra.feasibility import Host

QUERY_LIMIT_S = 30
OF_BACKUPS = ("backups", "staging", "scratch", "drill-scratch")
"""Volumes of a stack whose disk is planned with its backups."""


class NoDaemonError(Exception):
    """No Docker daemon answers."""


def look(stack: str, address: str, ports: Mapping[str, int], endpoint: Endpoint | None = None) -> Host:
    """Ask the Docker daemon, and this machine where it runs here.

    Args:
        stack: Name of the stack.
        address: Host address the stack publishes on.
        ports: Host ports it publishes on, by the setting each comes from.
        endpoint: The daemon; None for the one that the docker command talks to anyway.

    Returns:
        What the host has; None for what cannot be known.

    Raises:
        NoDaemonError: No daemon answers; the message says what to do.
    """
    if endpoint is None:
        return _look(_Docker(None), stack, address, ports)
    with endpoint.environment() as environ:
        return _look(_Docker(endpoint.docker, environ), stack, address, ports)


def _look(docker: _Docker, stack: str, address: str, ports: Mapping[str, int]) -> Host:
    info = docker.info()
    local = _is_local(info)
    volume = names.on_host(stack, "store")
    of_stack = f"label={names.STACK_LABEL}={stack}"
    return Host(
        memory_bytes=info.get("MemTotal") or None,
        free_disk_bytes=_free_bytes(Path(info.get("DockerRootDir", "/"))) if local else None,
        stored_bytes=_stored_bytes(Path(info.get("DockerRootDir", "/")), stack, ("store",)) if local else 0,
        backup_bytes=_backup_bytes(Path(info.get("DockerRootDir", "/")), stack) if local else None,
        open_files_hard_limit=_daemon_open_files() if local else None,
        port_holders={
            setting: holder
            for setting, port in ports.items()
            if (holder := _port_holder(docker, stack, address, port, local=local))
        },
        daemon=" ".join(str(info.get(key, "")) for key in ("ID", "Name", "DockerRootDir")),
        has_store=volume in docker(["volume", "ls", "--quiet", "--filter", f"name={volume}"]).split(),
        containers=frozenset(docker(["ps", "--all", "--quiet", "--no-trunc", "--filter", of_stack]).split()),
    )


class _Docker:
    """The docker command, talking to one daemon.

    Args:
        named: The daemon as the settings name it; None for this machine's usual one.
        environ: Variables of the command.
    """

    def __init__(self, named: str | None, environ: Mapping[str, str] | None = None) -> None:
        self._named = named
        self._environ = environ

    def __call__(self, arguments: Sequence[str]) -> str:
        try:
            done = subprocess.run(
                ["docker", *arguments],
                capture_output=True,
                text=True,
                timeout=QUERY_LIMIT_S,
                check=True,
                stdin=subprocess.DEVNULL,
                env=self._environ,
            )
        except FileNotFoundError:
            raise NoDaemonError("the docker command is not on PATH: install Docker, or run `make doctor`") from None
        except subprocess.TimeoutExpired:
            raise self._no_daemon(f"no answer within {QUERY_LIMIT_S} s") from None
        except subprocess.CalledProcessError as error:
            raise self._no_daemon(error.stderr.strip()) from None
        return done.stdout

    def info(self) -> dict[str, Any]:
        """What the daemon says of itself."""
        info: dict[str, Any] = json.loads(self(["info", "--format", "{{json .}}"]))
        if info.get("ServerErrors"):
            raise self._no_daemon(info["ServerErrors"][0])
        return info

    def _no_daemon(self, reason: str) -> NoDaemonError:
        short = (reason or "no reason given").splitlines()[-1]
        if self._named is not None:
            return NoDaemonError(
                f"no Docker daemon answers at {self._named} (cortex:store_host.docker; {short}); nothing was changed. "
                f"Try it by hand as the user who runs this: docker --host {self._named} info"
            )
        where = os.environ.get("DOCKER_HOST") or "its default socket"
        return NoDaemonError(
            f"no Docker daemon answers at {where} ({short}); "
            "start it (`make up` does on Debian, Docker Desktop elsewhere) or point DOCKER_HOST to one"
        )


def _is_local(info: dict[str, Any]) -> bool:
    """Whether the daemon shares this machine's kernel and filesystem."""
    return info.get("Name") == socket.gethostname() and Path(info.get("DockerRootDir", "")).is_dir()


def _free_bytes(root: Path) -> int:
    return shutil.disk_usage(root).free


def _stored_bytes(root: Path, stack: str, volumes: Sequence[str]) -> int:
    folders = [root / "volumes" / names.on_host(stack, volume) / "_data" for volume in volumes]
    try:
        return sum(path.stat().st_blocks * 512 for each in folders for path in each.rglob("*") if path.is_file())
    except OSError:
        return 0  # not readable without root: the check then asks for a little more room than needed


def _backup_bytes(root: Path, stack: str) -> int | None:
    """None without the right to look."""
    return _stored_bytes(root, stack, OF_BACKUPS) if os.access(root / "volumes", os.R_OK | os.X_OK) else None


def _daemon_open_files() -> int | None:
    """Hard limit of the running dockerd: no container can have more."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() != "dockerd":
                continue
            for line in (process / "limits").read_text().splitlines():
                if line.startswith("Max open files"):
                    hard = line.split()[4]
                    return None if hard == "unlimited" else int(hard)
        except OSError:
            continue
    return None


def _port_holder(docker: _Docker, stack: str, address: str, port: int, *, local: bool) -> str | None:
    columns = ("{{.Names}}", "{{.Ports}}", f'{{{{.Label "{names.STACK_LABEL}"}}}}')
    for line in docker(["ps", "--filter", f"publish={port}", "--format", "\t".join(columns)]).splitlines():
        holder, published, owner = line.split("\t")
        if owner == stack:
            return None
        if holds(published, address, port):
            return f"container {holder}"
    return "another program" if local and not _can_bind(address, port) else None


def holds(published: str, address: str, port: int) -> bool:
    """Whether a container's published ports leave no room for `address` and `port`.

    Args:
        published: As `docker ps` writes them: `127.0.0.1:8080->8080/tcp, :::9000->9000/tcp`.
        address: Host address to publish on.
        port: Host port to publish on.
    """
    every = {"0.0.0.0", "::", "[::]"}  # noqa: S104 - compared, not bound
    for mapping in published.split(", "):
        held, arrow, _ = mapping.partition("->")
        host, _, held_port = held.rpartition(":")
        if arrow and held_port == str(port) and (host == address or {host, address} & every):
            return True
    return False


def _can_bind(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            return True  # a port below 1024: the daemon may, this user may not
        except OSError:
            return False
    return True
