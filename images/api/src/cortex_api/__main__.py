"""`python -m cortex_api`. Exit codes: 0 stopped, 65 store or model unusable, 75 store locked, 78 wrong settings."""

from __future__ import annotations

import os
import sys

import store
from cortex_api.logs import configure_logs, get_logger
from cortex_api.settings import Settings, SettingsError, load_settings

EXIT_STORE_UNUSABLE = 65
EXIT_STORE_LOCKED = 75
EXIT_SETTINGS = 78
# After the grace: what still holds the store then is cut off; the log has everything that was acknowledged.
# With uvicorn's own second this stays within the 5 s that a platform should add to the grace.
_CLOSE_TIMEOUT_S = 3.0


def main() -> int:
    """Run until stopped; the exit code."""
    try:
        settings = load_settings()
    except SettingsError as problem:
        configure_logs("info", os.environ.get("CORTEX_STACK", ""))
        get_logger(__name__).error("settings.rejected", problems=str(problem).splitlines())
        print(f"cortex_api: wrong settings:\n{problem}", file=sys.stderr)  # noqa: T201 -- for who starts it by hand
        return EXIT_SETTINGS
    configure_logs(settings.log_level, settings.stack)
    try:
        if settings.is_remote:
            return _serve(settings)
        if settings.lock_fd is not None:
            store.WriterLock.inherited(settings.store_path, settings.lock_fd)
            return _serve(settings)
        with store.WriterLock(settings.store_path) as lock:
            if lock.predecessor is not None:
                get_logger(__name__).warning("store.recovered", killed=str(lock.predecessor))
            return _serve(settings)
    except store.StoreLocked as problem:
        return _refused("store.locked", problem, EXIT_STORE_LOCKED)
    except store.StoreError as problem:
        return _refused("store.unusable", problem, EXIT_STORE_UNUSABLE)


def _serve(settings: Settings) -> int:
    # Imported with the lock of an embedded store held: a second process is refused before it loads anything.
    from cortex_api.app import create_app  # noqa: PLC0415
    from cortex_api.auth import Gateway  # noqa: PLC0415
    from cortex_api.parts import runtime_for  # noqa: PLC0415
    from cortex_api.server import Server  # noqa: PLC0415
    from cortex_api.watched_file import FileUnusable  # noqa: PLC0415

    log = get_logger(__name__)
    try:
        gateway = Gateway(settings.inner_credential_file)
        runtime = runtime_for(settings)
    except FileUnusable as problem:
        return _refused("credential.unusable", problem, EXIT_SETTINGS)
    Server(create_app(runtime, gateway), runtime).run()
    runtime.begin_stop()
    closed = runtime.close(_CLOSE_TIMEOUT_S)
    if isinstance(runtime.failure, store.StoreLocked):
        return _refused("store.locked", runtime.failure, EXIT_STORE_LOCKED)
    if runtime.failure is not None:
        return _failed(runtime.failure)
    log.info("stopped", store_closed=closed)
    return 0


def _failed(problem: BaseException) -> int:
    """The process could not become ready. What was not foreseen shows its stack in the log."""
    from cortex_api.model import ModelError  # noqa: PLC0415 -- as above

    if isinstance(problem, ModelError):
        return _refused("model.unusable", problem, EXIT_STORE_UNUSABLE)
    if not isinstance(problem, store.StoreError):
        get_logger(__name__).error("start.failed", exc_info=problem)
    return _refused("store.unusable", problem, EXIT_STORE_UNUSABLE)


def _refused(event: str, problem: BaseException, code: int) -> int:
    get_logger(__name__).error(event, reason=str(problem), error=type(problem).__name__, exit_code=code)
    print(f"cortex_api: {problem}", file=sys.stderr)  # noqa: T201 -- for who starts it by hand
    return code


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # worker threads of a cut request would keep the process alive
