"""Run as a script, `stand_in.py PORT FILE`: a server that starts at once and says of itself what FILE says.

For tests of what the guard makes of an answer. FILE holds JSON to be merged into a healthy answer, such as
`{"canary": {"ok": false}}`; `"hang"` answers nothing. It is removed at the start: a new process is well.
SIGTERM ends it.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from pathlib import Path


def answer(said: dict[str, object]) -> bytes:
    canary = {"ok": True, "age_s": 0.5, "write_ms": 1.0, "read_ms": 1.0, "error": None}
    body = {"status": "ok", "canary": canary, "warming": None, "disk_full": False, **said}
    text = json.dumps(body).encode()
    status = 200 if body["status"] == "ok" else 503
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def main(port: int, file: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    file.unlink(missing_ok=True)
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            said = json.loads(file.read_text()) if file.exists() else {}
            if said == "hang":
                time.sleep(3_600)
            connection.sendall(answer(said))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
