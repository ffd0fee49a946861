"""The exec probe: what does the guard say, and is it of this moment?

Reads one small file and writes nothing: the guard has judged already.
"""

import os
import sys
import time

from healthcheck.decode import json_value
from healthcheck.line import as_line
from healthcheck.state_file import DEFAULT_PATH, DEFAULT_TICK_S, VERSION, max_age_s, read

HEALTHY, UNHEALTHY, CANNOT_TELL = 0, 1, 2
_HEADLINES = {"ok": "healthy", "degraded": "degraded", "failing": "unhealthy", "unknown": "cannot tell"}
_EXIT_CODES = {"ok": HEALTHY, "degraded": UNHEALTHY, "failing": UNHEALTHY, "unknown": CANNOT_TELL}
_STALE = "stale"

_HELP = """\
usage: healthcheck [--json] [--help]

Tells what the guard of this container judged last: what is not ok comes first.

exit codes: 0 healthy; 1 degraded, unhealthy, or the guard has stopped judging; 2 cannot tell

environment (default), as the guard has it:
  HEALTH_STATE_PATH  where the guard publishes its state (/tmp/cortex/health.json)
  HEALTH_TICK_S      how often it does (1)
"""


class CannotTell(Exception):  # noqa: N818 (named after the state)
    """There is no usable state. The message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Probe once, print the judgements, return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    if "--help" in given or "-h" in given:
        _print(_HELP)
        return HEALTHY
    try:
        _check(given)
        state = published(os.environ.get("HEALTH_STATE_PATH", DEFAULT_PATH))
        limit_s = max_age_s(_tick_s())
    except CannotTell as problem:
        _print(_as_json({"verdict": "unknown", "problem": str(problem)}) if as_json else f"cannot tell: {problem}\n")
        return CANNOT_TELL
    return _tell(state, limit_s, as_json=as_json)


def published(path: str) -> "dict[str, object]":
    """The guard's state.

    Raises:
        CannotTell: there is none that can be understood.
    """
    try:
        state = json_value(read(path).strip())
    except FileNotFoundError:
        raise CannotTell(f"{path} does not exist: no guard has published its state yet") from None
    except OSError as error:
        raise CannotTell(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        state = None
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise CannotTell(f"{path} is not what this version of the guard writes")
    if not isinstance(state.get("at_s"), float) or not isinstance(state.get("judgements"), list):
        raise CannotTell(f"{path} lacks its time or its judgements")
    return state


def _tell(state: "dict[str, object]", limit_s: float, *, as_json: bool) -> int:
    """Print the state and return the exit code."""
    age_s = time.monotonic() - state["at_s"]  # type: ignore[operator]  # a float: see `published`
    verdict = str(state.get("verdict"))
    lines = sorted((_line(judgement) for judgement in state["judgements"]), key=lambda line: not line[0])  # type: ignore[attr-defined]
    worse = [name for rank, name, _ in lines if rank]
    # Younger than now: written before the machine was started again.
    if not -1 <= age_s <= limit_s:
        verdict = _STALE
        why = f"the guard's state is {age_s:.1f} s old (limit {limit_s:g} s): its loop stands still, or it has ended"
        headline = f"unhealthy: {why}"
    else:
        headline = _HEADLINES.get(verdict, "cannot tell") + (f": {', '.join(worse)}" if worse else "")
    if as_json:
        _print(_as_json({**state, "verdict": verdict, "age_s": round(age_s, 3)}))
    else:
        _print("\n".join([headline, *(text for _, _, text in lines)]) + "\n")
    return UNHEALTHY if verdict == _STALE else _EXIT_CODES.get(verdict, CANNOT_TELL)


def _line(judgement: "dict[str, object]") -> "tuple[bool, str, str]":
    """Whether it is not ok, name, text. What is not ok leads: Docker keeps the first 4 KiB."""
    verdict, name = str(judgement.get("verdict")), str(judgement.get("name"))
    text = as_line(
        verdict,
        name,
        judgement.get("value"),  # type: ignore[arg-type]  # written by `Judgement.as_dict`
        judgement.get("limit"),  # type: ignore[arg-type]
        str(judgement.get("unit")),
        str(judgement.get("message")),
    )
    return verdict != "ok", name, text


def _check(arguments: list[str]) -> None:
    if wrong := [argument for argument in arguments if argument != "--json"]:
        raise CannotTell(f"unknown argument {wrong[0]!r}; there are --json and --help")


def _tick_s() -> float:
    text = os.environ.get("HEALTH_TICK_S", str(DEFAULT_TICK_S))
    try:
        tick_s = float(text)
    except ValueError:
        tick_s = -1.0
    if not 0 < tick_s <= 60:
        raise CannotTell(f"HEALTH_TICK_S={text!r} is not a number up to 60, for example 1")
    return tick_s


def _as_json(value: object) -> str:
    import json  # noqa: PLC0415  (only here: text, which Docker runs, goes without)

    return json.dumps(value, ensure_ascii=False) + "\n"


def _print(text: str) -> None:
    """Standard output, whatever the locale is; a closed pipe must not change the exit code."""
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main())
