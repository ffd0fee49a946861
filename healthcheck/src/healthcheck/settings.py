"""The guard's settings: environment variables HEALTH_*, all checked before anything starts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from healthcheck.limits import Limits, MemoryModel, ServerKind
from healthcheck.schedule import parse_schedule
from healthcheck.state_file import DEFAULT_PATH, DEFAULT_TICK_S
from healthcheck.url import split_url

EXIT_SETTINGS = 78
"""`EX_CONFIG` of sysexits.h."""
_CHROMA_URL = "http://127.0.0.1:8000/api/v2/heartbeat"
_RELOAD_CHECK = "'haproxy -c -f /run/cortex/gateway/haproxy.cfg'"
_Choice = TypeVar("_Choice", bound=StrEnum)
_Value = TypeVar("_Value")


class BadSettings(ValueError):  # noqa: N818 (named after the state)
    """One or more variables have no usable value. `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class OnMemoryShort(StrEnum):
    """What to do when the data is predicted to need more memory than there is."""

    REFUSE = "refuse"
    DEGRADED = "degraded"


class _YesNo(StrEnum):
    YES = "true"
    NO = "false"


@dataclass(frozen=True, slots=True)
class GuardSettings(Limits):
    """Each field is the variable HEALTH_<NAME> (docs/health.md)."""

    schema_command: tuple[str, ...] = ()
    """Makes Chroma's tables in an empty store; the store's path is appended."""
    listen: str = "0.0.0.0:8081"
    state_path: str = DEFAULT_PATH
    tick_s: float = DEFAULT_TICK_S
    open_files: int = 0
    on_memory_short: OnMemoryShort = OnMemoryShort.REFUSE
    start_limit_s: float = 600.0
    stop_grace_s: float = 35.0
    crashes: int = 5
    crash_window_s: float = 600.0
    scrub_bytes_per_s: int = 20_000_000
    reload_watch: str = ""
    """Folder with files that the server loads anew on SIGUSR2; empty for none."""
    reload_check: tuple[str, ...] = ()
    """Says with exit code 0 that the files can be loaded."""

    @property
    def has_store(self) -> bool:
        """Whether the server keeps a store of its own."""
        return self.server is not ServerKind.NONE

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the guard's endpoints."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def load_settings(environment: Mapping[str, str]) -> GuardSettings:
    """Read and check all variables.

    Raises:
        BadSettings: naming every variable that is wrong, its value, and one that would do.
    """
    reader = _Reader(environment)
    default = GuardSettings()
    server = reader.choice("server", default.server)
    url = _CHROMA_URL if server is ServerKind.CHROMA else default.url
    settings = GuardSettings(
        server=server,
        url=reader.checked("url", url, _url, url),
        store_path=reader.checked("store_path", default.store_path, _absolute, "/data"),
        store_bytes=reader.store_bytes(),
        timeout_s=reader.number("timeout_s", default.timeout_s, 0.1, 300),
        memory_percent=reader.number("memory_percent", default.memory_percent, 1, 100),
        memory_recycle_percent=reader.number("memory_recycle_percent", default.memory_recycle_percent, 1, 100),
        disk_percent=reader.number("disk_percent", default.disk_percent, 1, 100),
        disk_stop_percent=reader.number("disk_stop_percent", default.disk_stop_percent, 1, 100),
        hysteresis_points=reader.number("hysteresis_points", default.hysteresis_points, 0, 50),
        canary_interval_s=reader.number("canary_interval_s", default.canary_interval_s, 0.1, 86_400),
        canary_max_age_s=reader.number("canary_max_age_s", default.canary_max_age_s, 1, 86_400),
        wedged_after_s=reader.number("wedged_after_s", default.wedged_after_s, 1, 86_400),
        max_collections=reader.whole("max_collections", default.max_collections, 1, 1_000_000),
        memory_model=reader.checked("memory_model", "{}", _memory_model, "{}"),
        maintenance=reader.checked("maintenance", default.maintenance, _maintenance, default.maintenance),
        maintenance_limit_s=reader.number("maintenance_limit_s", default.maintenance_limit_s, 1, 86_400),
        compact_share=reader.number("compact_share", default.compact_share, 0.01, 1),
        renew_share=reader.number("renew_share", default.renew_share, 0.01, 1),
        scrub_interval_s=reader.number("scrub_interval_s", default.scrub_interval_s, 0, 31_536_000),
        certificate=reader.checked("certificate", "", _folder, "/run/cortex/gateway/certificate.pem"),
        backups=reader.choice("backups", _YesNo.NO) is _YesNo.YES,
        schema_command=reader.checked("schema_command", "", _command, "'python3 -m cortex_api.schema'"),
        listen=reader.checked("listen", default.listen, _address, default.listen),
        state_path=reader.checked("state_path", default.state_path, _absolute, default.state_path),
        tick_s=reader.number("tick_s", default.tick_s, 0.05, 60),
        open_files=reader.whole("open_files", default.open_files, 0, 10_000_000),
        on_memory_short=reader.choice("on_memory_short", default.on_memory_short),
        start_limit_s=reader.number("start_limit_s", default.start_limit_s, 1, 604_800),
        stop_grace_s=reader.number("stop_grace_s", default.stop_grace_s, 0, 3_600),
        crashes=reader.whole("crashes", default.crashes, 1, 1_000_000),
        crash_window_s=reader.number("crash_window_s", default.crash_window_s, 1, 86_400),
        scrub_bytes_per_s=reader.whole("scrub_bytes_per_s", default.scrub_bytes_per_s, 1_000, 1 << 40),
        reload_watch=reader.checked("reload_watch", "", _folder, "/run/cortex/gateway"),
        reload_check=reader.checked("reload_check", "", _command, _RELOAD_CHECK),
    )
    if settings.reload_watch and not settings.reload_check:
        reader.wrong("reload_check", "is needed with HEALTH_RELOAD_WATCH", _RELOAD_CHECK)
    if settings.disk_stop_percent <= settings.hysteresis_points:
        reader.wrong("disk_stop_percent", "is not above HEALTH_HYSTERESIS_POINTS", default.disk_stop_percent)
    reader.finish()
    return settings


class _Reader:
    """Takes values out of the environment and collects what is wrong with them. Names are those of the fields."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def finish(self) -> None:
        """Raise when something was wrong."""
        if self._problems:
            raise BadSettings(self._problems)

    def text(self, name: str, default: str) -> str:
        return self._environment.get(_variable(name), default)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        text = self._environment.get(_variable(name))
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            self.wrong(name, f"is not a number from {low:g} to {high:g}", f"{default:g}")
            return default
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        text = self._environment.get(_variable(name))
        if text is None:
            return default
        if not text.isdecimal() or not low <= int(text) <= high:
            self.wrong(name, f"is not a whole number from {low} to {high}", default)
            return default
        return int(text)

    def store_bytes(self) -> int | None:
        """None when there is no plan."""
        return self.whole("store_bytes", 10 << 30, 1, 1 << 60) if "HEALTH_STORE_BYTES" in self._environment else None

    def choice(self, name: str, default: _Choice) -> _Choice:
        text = self._environment.get(_variable(name), str(default))
        kind = type(default)
        if text not in list(kind):
            self.wrong(name, f"is none of {', '.join(kind)}", default)
            return default
        return kind(text)

    def checked(self, name: str, default: str, convert: Callable[[str], _Value], example: str) -> _Value:
        try:
            return convert(self.text(name, default))
        except ValueError as error:
            self.wrong(name, str(error), example)
            return convert(default)

    def wrong(self, name: str, why: str, example: object) -> None:
        text = self._environment.get(_variable(name), "")
        self._problems.append(f"{_variable(name)}={text!r} {why}, for example {example}")


def _variable(name: str) -> str:
    return f"HEALTH_{name.upper()}"


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("is not an absolute path")
    return text


def _folder(text: str) -> str:
    return _absolute(text) if text else ""


def _url(text: str) -> str:
    split_url(text)
    return text


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("is not host:port")
    return text


def _maintenance(text: str) -> str:
    parse_schedule(text)
    return text


def _command(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"cannot be split into words ({error})") from error


def _memory_model(text: str) -> MemoryModel | None:
    try:
        given = json.loads(text)
    except ValueError:
        raise ValueError("is not JSON") from None
    names = list(MemoryModel.__dataclass_fields__)
    if given == {}:
        return None
    if not isinstance(given, dict) or sorted(given) != sorted(names):
        raise ValueError(f"is not an object with the keys {', '.join(names)}, or {{}}")
    if not all(isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in given.values()):
        raise ValueError("has a value that is not a whole number of bytes")
    return MemoryModel(**given)
