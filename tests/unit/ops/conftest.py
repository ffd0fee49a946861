"""Stand-ins: programs on PATH that say what they were told to, and a small Cortex API."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import cli
from tools import environment, settings_files, stack_state


@dataclass
class Programs:
    """A folder of stand-in programs, first on PATH. Each call is noted."""

    folder: Path
    environment: dict[str, str]

    def add(self, name: str, *answers: tuple[str, str, int]) -> None:
        """A program that answers by the first pattern its arguments contain: (pattern, standard output, exit code)."""
        table = self.folder / f"{name}.json"
        table.write_text(json.dumps(answers), encoding="utf-8")
        program = self.folder / name
        program.write_text(
            f"#!{sys.executable} -IS\n"
            "import json, sys\n"
            f"said = ' '.join(sys.argv[1:])\n"
            f"open({str(self.folder / 'calls')!r}, 'a').write({name!r} + ' ' + said + '\\n')\n"
            f"for pattern, out, code in json.load(open({str(table)!r})):\n"
            "    if pattern in said:\n"
            "        (sys.stderr if code else sys.stdout).write(out)\n"
            "        sys.exit(code)\n"
            "sys.exit(f'not expected: {said}')\n",
            encoding="utf-8",
        )
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """What was run, in order."""
        file = self.folder / "calls"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """No programs yet; nothing of the machine's own is on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return Programs(folder, {"PATH": str(folder), "HOME": str(tmp_path)})


@dataclass
class FakeApi:
    """The few routes that the demo uses, and what was asked of them."""

    url: str = ""
    token: str = "secret-token"
    collections: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    fail_with: int = 0

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON."""
        self.asked.append(f"{method} {path}")
        if token != f"Bearer {self.token}":
            return 401, {"title": "no token"}
        if self.fail_with:
            return self.fail_with, {"title": "told to fail [red]now[/red]"}
        if (method, path) == ("POST", "/v1/collections"):
            self.collections[body["name"]] = {}
            return 201, {"name": body["name"]}
        _, _, _, name, *rest = path.split("/")
        if name not in self.collections:
            return 404, {"title": "no such collection"}
        return 200, self._of_collection(self.collections[name], rest, body)

    def _of_collection(self, stored: dict[str, dict[str, Any]], route: list[str], body: dict[str, Any]) -> Any:
        match route:
            case ["documents", "get"]:
                return {"documents": [stored[key] for key in body["ids"] if key in stored][: body["limit"]]}
            case ["documents"]:
                self.writes.append(len(body["documents"]))
                stored.update({document["id"]: document for document in body["documents"]})
            case ["count"]:
                return {"count": len(stored)}
            case ["query"]:
                found = list(stored.values())[: body["k"]]
                matches = [{"id": one["id"], "text": one["text"], "distance": 0.5} for one in found]
                return {"results": [{"matches": matches} for _ in body["texts"]]}
        return {}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A fake API on a port of its own."""
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            status, answer = fake.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do  # noqa: N815 - the library's names

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def command(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run `cortex` in this process, on the stand-in programs: exit code, standard output, standard error."""
    monkeypatch.setattr(environment, "environment", lambda: dict(programs.environment))
    monkeypatch.setattr(stack_state, "ensure_stack", lambda _name, _environment: False)
    monkeypatch.setattr(cli.setup, "up", lambda _progress: None)
    monkeypatch.setattr(settings_files, "_files", lambda _checkout: [])
    for name in [key for key in os.environ if key.startswith("CORTEX_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **options: Any) -> tuple[int, str, str]:
        # The console was made when the module was loaded, for the terminal it found then.
        monkeypatch.setattr(cli.console, "_file", None)
        result = CliRunner().invoke(cli.app, list(arguments), **options)
        return result.exit_code, result.stdout, result.stderr

    return run
