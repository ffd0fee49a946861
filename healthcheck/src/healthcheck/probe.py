"""The exec probe: is this container healthy, at this moment, by its own thresholds?

Reads the API's answer, the control group and the disk; writes nothing; never takes longer than HEALTH_TIMEOUT_S.
"""

import os
import sys
import time

from healthcheck.ask import ask
from healthcheck.judge import (
    FAILING,
    OK,
    UNKNOWN,
    Judgement,
    judge_api,
    judge_canary,
    judge_disk,
    judge_inodes,
    judge_memory,
    overall,
    unknown,
)
from healthcheck.measure import allocated_bytes, filesystem, memory
from healthcheck.thresholds import BadThresholds, Thresholds, from_environment

EXIT_CODES = {OK: 0, FAILING: 1, UNKNOWN: 2}
_HEADLINES = {OK: "healthy", FAILING: "unhealthy", UNKNOWN: "cannot tell"}

_HELP = """\
usage: healthcheck [--json] [--help]

Judges the container that it runs in: api, canary, memory, disk, inodes. One line for each.

exit codes: 0 healthy; 1 unhealthy; 2 something could not be judged, or a setting is wrong

environment (default):
  HEALTH_URL               what to ask (http://127.0.0.1:8080/healthz)
  HEALTH_TIMEOUT_S         for the whole probe (5)
  HEALTH_CANARY_MAX_AGE_S  oldest canary that counts (180)
  HEALTH_MEMORY_PERCENT    of the container's limit, without inactive page cache (85)
  HEALTH_DISK_PERCENT      of the file system or the planned size, the worse one; also of inodes (80)
  HEALTH_STORE_PATH        where the store is (/data)
  HEALTH_STORE_BYTES       planned size of the store (not judged)
"""


def main(arguments: list[str] | None = None) -> int:
    """Probe once, print the judgements, return the exit code."""
    start_s = time.monotonic()
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    if "--help" in given or "-h" in given:
        _print(_HELP)
        return 0
    if wrong := [argument for argument in given if argument != "--json"]:
        return _refuse([f"unknown argument {argument!r}; there are --json and --help" for argument in wrong], as_json)
    try:
        thresholds = from_environment(os.environ)
    except BadThresholds as bad:
        return _refuse(bad.problems, as_json)
    judgements = probe(thresholds, start_s + thresholds.timeout_s)
    verdict = overall(judgements)
    if as_json:
        found = [judgement.as_dict() for judgement in judgements]
        took_ms = round(1e3 * (time.monotonic() - start_s), 2)
        _print(_as_json({"verdict": verdict, "judgements": found, "took_ms": took_ms}))
    else:
        worse = [judgement.name for judgement in judgements if judgement.verdict != OK]
        headline = _HEADLINES[verdict] + (f": {', '.join(worse)}" if worse else "")
        _print("\n".join([headline, *(judgement.as_line() for judgement in judgements)]) + "\n")
    return EXIT_CODES[verdict]


def probe(thresholds: Thresholds, deadline_s: float) -> list[Judgement]:
    """Measure and judge everything. The local measures come first: they are quick, whatever the API does."""
    local = [_memory(thresholds), *_disk(thresholds, deadline_s)]
    answer = ask(thresholds.host, thresholds.port, thresholds.target, deadline_s)
    return [
        judge_api(answer, thresholds.timeout_s),
        judge_canary(answer, thresholds.canary_max_age_s),
        *local,
    ]


def _memory(thresholds: Thresholds) -> Judgement:
    try:
        return judge_memory(memory(), thresholds.memory_percent)
    except (OSError, ValueError, ImportError) as error:
        return unknown("memory", thresholds.memory_percent, "%", f"cannot be measured: {error}")


def _disk(thresholds: Thresholds, deadline_s: float) -> list[Judgement]:
    """Disk and inodes. The walk gets half of the time that is left, so that the API still gets its part."""
    limit = thresholds.disk_percent
    try:
        disk = filesystem(thresholds.store_path)
    except OSError as error:
        why = f"the store's path cannot be measured: {error}"
        return [unknown("disk", limit, "%", why), unknown("inodes", limit, "%", why)]
    try:
        store_bytes = None
        if thresholds.store_bytes is not None:
            now_s = time.monotonic()
            store_bytes = allocated_bytes(thresholds.store_path, now_s + (deadline_s - now_s) / 2)
        judged = judge_disk(disk, store_bytes, thresholds.store_bytes, limit)
    except OSError as error:
        judged = unknown("disk", limit, "%", f"the store's size cannot be measured: {error}")
    return [judged, judge_inodes(disk, limit)]


def _refuse(problems: list[str], as_json: bool) -> int:
    """Say what is wrong with the probe's own settings."""
    if as_json:
        _print(_as_json({"verdict": UNKNOWN, "judgements": [], "problems": problems}))
    else:
        _print("\n".join(["the probe's settings are wrong:", *(f"  {problem}" for problem in problems)]) + "\n")
    return EXIT_CODES[UNKNOWN]


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
