"""A store with its server, a target, and the backup program between them: bare processes, as the container has them."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from backup.config import load
from backup.gateway import LOG
from backup.target import opened

from backup import ltx
from tests.backup.far import Far
from tests.recovery.servers import Server, free_port, wait_until

LIMIT_S = 180.0
"""For what takes seconds on a quiet machine."""
MIB = 1 << 20


class Daemon(Server):
    """`python -m backup run`."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        super().__init__(scene.folder / "daemon")

    def command(self) -> list[str]:
        return [sys.executable, "-m", "backup", "run"]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self.scene.variables, "BACKUP_LISTEN": f"127.0.0.1:{self.port}"}

    def ready(self) -> bool:
        return self._answers(self.port, "/healthz")

    def get(self, path: str) -> str:
        """What it answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def said(self, message: str) -> list[dict[str, Any]]:
        """Its own lines with this message."""
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [said for line in lines if (said := json.loads(line)).get("message") == message]

    def pid_of(self, tool: str) -> int:
        """Of the tool that runs all the time."""
        verb = {"litestream": "replicate", "rclone": "serve"}[tool]
        found = [pid for pid in self.session() if {tool, verb} <= _words(pid)]
        assert len(found) == 1, f"{tool}: {found}"
        return found[0]


def _words(pid: int) -> set[str]:
    try:
        process = psutil.Process(pid)
        return {process.name(), *process.cmdline()}
    except psutil.Error:
        return set()


class Scene:
    """All of it below one folder."""

    def __init__(self, folder: Path, far: Far, store: Path, **changes: Any) -> None:
        """Args: store: of the server. changes: parts of the configuration, merged into what is usual."""
        self.folder = folder
        self.far = far
        self.store = store
        for name in ("scratch", "staging", "tmp", "restored"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.config_file = folder / "backup.json"
        self.content: dict[str, Any] = {
            "stack": "test",
            "store": str(store),
            "key": secrets.token_urlsafe(32),
            "target": far.settings(),
            "bases": {
                "schedule": "never",
                "time_zone": "UTC",
                "jitter_s": 0,
                "keep": {"last": 3, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0},
            },
            "archive": {
                "days": 7,
                "snapshot_days": 3,
                "step_s": 30,
                "staging_bytes": 256 * MIB,
                "wal_bytes": 256 * MIB,
                "staging_path": str(folder / "staging"),
            },
            "drills": {"schedule": "never", "time_zone": "UTC", "jitter_s": 0},
            "state": json.dumps({"carried": secrets.token_urlsafe(16)}),
            "versions": {"package": "0.1.0", "chroma": "1.5.9"},
        }
        self.configure(**changes)

    def configure(self, **changes: Any) -> None:
        """Merge changes into the configuration."""
        for name, value in changes.items():
            whole = isinstance(value, dict) and name != "target"
            self.content[name] = {**self.content[name], **value} if whole else value
        self.config_file.write_text(json.dumps(self.content))
        self.config_file.chmod(0o440)

    @property
    def variables(self) -> dict[str, str]:
        """Of the backup program's environment."""
        return {
            "BACKUP_CONFIG": str(self.config_file),
            "BACKUP_SCRATCH": str(self.folder / "scratch"),
            "BACKUP_LISTEN": f"127.0.0.1:{free_port()}",
            "TMPDIR": str(self.folder / "tmp"),
        }

    def begin(self, verb: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "backup", verb, "--json", *arguments],
            env={**os.environ, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, verb: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command to its end: what it printed; with another code than 0 and 1 the error."""
        return self.finish(self.begin(verb, *arguments), verb, code)

    @staticmethod
    def finish(process: subprocess.Popen[str], verb: str, code: int = 0, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """As `run`, for a command that was begun."""
        out, err = process.communicate(timeout=limit_s)
        assert process.returncode == code, f"{verb} ended with {process.returncode}: {err[-2000:]}"
        text = out if code in {0, 1} else err.splitlines()[-1]
        return dict(json.loads(text))

    def state(self) -> dict[str, Any] | None:
        """What the daemon told last."""
        try:
            return dict(json.loads((self.store / ".cortex" / "backup.json").read_text()))
        except FileNotFoundError:
            return None

    def wait_archive(self, limit_s: float = LIMIT_S, **wanted: Any) -> dict[str, Any]:
        """Until the state's archive is like this; the whole state."""

        def right() -> bool:
            state = self.state()
            return state is not None and all(state["archive"][name] == value for name, value in wanted.items())

        wait_until(right, f"the archive to be {wanted}; it is {self.state()}", limit_s)
        return self.state() or {}

    def wait_shipped(self, after_s: float) -> dict[str, Any]:
        """Until everything that was committed by then is at the target."""

        def right() -> bool:
            state = self.state()
            return state is not None and (state["archive"]["synced_s"] or 0.0) > after_s

        wait_until(right, f"the log to be shipped; {self.state()}", LIMIT_S)
        return self.state() or {}

    def lineage(self) -> str:
        """The present one."""
        return str(json.loads((self.store / ".cortex" / "lineage.json").read_text())["id"])

    def unnamed_files(self) -> list[str]:
        """Files of the present lineage at the target that have only a temporary name."""
        with opened(load(self.config_file)) as target:
            entries = target.entries(f"{LOG}/{self.lineage()}", recursive=True)
        return [entry.path for entry in entries if entry.path.endswith(".tmp")]

    def restored_log(self, name: str = "log") -> Path:
        """The database that the newest lineage's files make, put together by Litestream."""
        lineage = self.lineage()
        folder, made = self.folder / "restored" / name, self.folder / "restored" / f"{name}.sqlite3"
        with opened(load(self.config_file)) as target:
            entries = target.entries(f"{LOG}/{lineage}", recursive=True)
            pieces = [each for entry in entries if (each := ltx.piece(entry.path, entry.bytes)) is not None]
            assert ltx.gap(pieces) == ""
            assert not [entry.path for entry in entries if entry.path.endswith(".tmp")]
            target.fetch(f"{LOG}/{lineage}", folder)
        config = folder / "litestream.json"
        config.write_text(json.dumps({"dbs": [{"path": "/x", "replica": {"type": "file", "path": str(folder)}}]}))
        command = ["litestream", "restore", "-no-expand-env", "-config", str(config), "-o", str(made), "/x"]
        subprocess.run(command, check=True, timeout=LIMIT_S, capture_output=True)
        return made


def log_of(database: Path) -> tuple[int, str]:
    """Rows of the log, and a hash over all they hold."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    hashed, rows = hashlib.sha256(), 0
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for row in connection.execute("SELECT seq_id, operation, topic, id, vector, metadata FROM embeddings_queue"):
            hashed.update(repr(row).encode())
            rows += 1
    finally:
        connection.close()
    return rows, hashed.hexdigest()


def kill_session(process: subprocess.Popen[str]) -> None:
    """SIGKILL to a command and all it started, at once."""
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate(timeout=30)
