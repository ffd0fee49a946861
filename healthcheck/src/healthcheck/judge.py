"""From measured values to judgements. Pure: values and limits in, verdict and words out."""

from healthcheck.units import human_bytes, one_line, percent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from healthcheck.ask import Answer
    from healthcheck.measure import Disk, Memory

OK, FAILING, UNKNOWN = "ok", "failing", "unknown"


class Judgement:
    """One thing that was judged.

    Attributes:
        name: what: `api`, `canary`, `memory`, `disk`, `inodes`.
        value: the measured value in `unit`; None when there is none.
        limit: the value from which on it fails, in the same unit.
        unit: `ms`, `s` or `%`.
        verdict: `ok`, `failing`, or `unknown` when it could not be measured.
        message: one line: the figures behind the value, and what to do when it is not ok.
    """

    __slots__ = ("limit", "message", "name", "unit", "value", "verdict")

    def __init__(  # noqa: PLR0917 (in the order in which they are read out)
        self, name: str, value: float | None, limit: float, unit: str, verdict: str, message: str
    ) -> None:
        self.name = name
        self.value = value
        self.limit = limit
        self.unit = unit
        self.verdict = verdict
        self.message = message

    def as_dict(self) -> dict[str, object]:
        """For JSON; the value rounded to what can be meant."""
        value = None if self.value is None else round(self.value, 2)
        return {
            "name": self.name,
            "value": value,
            "limit": self.limit,
            "unit": self.unit,
            "verdict": self.verdict,
            "message": self.message,
        }

    def as_line(self) -> str:
        """One line of text."""
        value = "-" if self.value is None else f"{self.value:.1f} {self.unit}"
        return f"{self.verdict:<7}  {self.name:<6}  {value} (limit {self.limit:g} {self.unit}): {self.message}"


def unknown(name: str, limit: float, unit: str, why: str) -> Judgement:
    """Something that could not be measured."""
    return Judgement(name, None, limit, unit, UNKNOWN, one_line(why))


def judge_api(answer: "Answer", timeout_s: float) -> Judgement:
    """Does the API answer, and does it say that it is ready?"""

    def verdict(verdict: str, message: str) -> Judgement:
        return Judgement("api", answer.took_ms, 1e3 * timeout_s, "ms", verdict, message)

    if answer.problem:
        return verdict(FAILING, f"{one_line(answer.problem)}; look at the container's log")
    status = answer.body.get("status")
    if status == "ok" and answer.status == 200:
        return verdict(OK, "answers")
    if status == "starting":
        return verdict(FAILING, "starting: the store is being opened; wait")
    if status == "stopping":
        return verdict(FAILING, "stopping: it takes no new requests")
    if status == "failing":
        return verdict(FAILING, "says that it is failing; the canary below and the container's log say why")
    return verdict(
        FAILING, f"HTTP {answer.status} with status {one_line(repr(status), 60)}: that is not the Cortex API"
    )


def judge_canary(answer: "Answer", max_age_s: float) -> Judgement:
    """Was a row lately written to the store and read back unchanged?"""
    if answer.problem:
        return unknown("canary", max_age_s, "s", "the API did not answer")
    canary = answer.body.get("canary")
    if not isinstance(canary, dict):
        return unknown("canary", max_age_s, "s", "the API's answer has no canary")
    age_s = _number(canary.get("age_s"))
    if canary.get("ok") is not True:
        error = canary.get("error")
        why = "not written yet" if error is None and age_s is None else one_line(str(error or "no reason given"))
        return Judgement(
            "canary", age_s, max_age_s, "s", FAILING, f"could not write and read back: {why}; check disk and log"
        )
    if age_s is None or age_s < 0:
        return unknown("canary", max_age_s, "s", "the API's answer has no age of the canary")
    times = f"write {_milliseconds(canary.get('write_ms'))}, read {_milliseconds(canary.get('read_ms'))}"
    if age_s >= max_age_s:
        return Judgement(
            "canary", age_s, max_age_s, "s", FAILING, f"too old ({times}): the store hangs; restart the container"
        )
    return Judgement("canary", age_s, max_age_s, "s", OK, times)


def judge_memory(memory: "Memory", limit_percent: float) -> Judgement:
    """Used share of the container's limit, or of the host's memory where there is none."""
    value = percent(memory.used_bytes, memory.limit_bytes)
    whole = "the container's limit" if memory.scope == "container" else "the host's memory (no limit is set)"
    message = f"{human_bytes(memory.used_bytes)} of {human_bytes(memory.limit_bytes)}, {whole}"
    return _share("memory", value, limit_percent, message, "raise the memory limit, or store less")


def judge_disk(disk: "Disk", store_bytes: int | None, planned_bytes: int | None, limit_percent: float) -> Judgement:
    """The worse of two shares: the file system's, and the store's own of its planned size.

    A Docker volume has no quota, so a store far over its plan may lie on a file system with much room, and a store
    within its plan on one that others have filled.

    Args:
        disk: the file system.
        store_bytes: what the store takes; None when there is no plan to compare with.
        planned_bytes: the planned size; None without a plan.
        limit_percent: from which share on it fails.
    """
    value = percent(disk.used_bytes, disk.usable_bytes) if disk.usable_bytes else 100.0
    message = f"file system {human_bytes(disk.used_bytes)} of {human_bytes(disk.usable_bytes)}"
    advice = "free or add room on it before it is full, which would stop Chroma"
    if store_bytes is not None and planned_bytes is not None:
        planned_share = percent(store_bytes, planned_bytes)
        message += f" ({value:.1f} %), store {human_bytes(store_bytes)} of {human_bytes(planned_bytes)} planned"
        message += f" ({planned_share:.1f} %)"
        if planned_share >= value:
            value = planned_share
            advice = "the store outgrows its plan: raise the sizing inputs"
    return _share("disk", value, limit_percent, message, advice)


def judge_inodes(disk: "Disk", limit_percent: float) -> Judgement:
    """Used share of the file system's inodes."""
    if not disk.usable_inodes:
        return Judgement("inodes", 0.0, limit_percent, "%", OK, "the file system has no fixed number")
    value = percent(disk.used_inodes, disk.usable_inodes)
    message = f"{disk.used_inodes:,} of {disk.usable_inodes:,}"
    return _share("inodes", value, limit_percent, message, "remove small files from the store's file system")


def overall(judgements: list[Judgement]) -> str:
    """`failing` if anything fails, else `unknown` if anything could not be judged, else `ok`."""
    verdicts = {judgement.verdict for judgement in judgements}
    return FAILING if FAILING in verdicts else UNKNOWN if UNKNOWN in verdicts else OK


def _share(name: str, value: float, limit_percent: float, message: str, advice: str) -> Judgement:
    if value >= limit_percent:
        return Judgement(name, value, limit_percent, "%", FAILING, f"{message}; {advice}")
    return Judgement(name, value, limit_percent, "%", OK, message)


def _number(value: object) -> float | None:
    """A finite number from JSON, where `true` is none; `NaN` fails every comparison."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return float(value)


def _milliseconds(value: object) -> str:
    number = _number(value)
    return "?" if number is None else f"{number:.1f} ms"
