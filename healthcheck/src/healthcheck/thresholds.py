"""The probe's settings, read from the environment that the plan gives to the container."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY_PERCENT = 85.0
"""Alert level for memory (docs/health.md)."""
DISK_PERCENT = 80.0
"""Alert level for disk; a full disk stops Chroma for good, so it is lower."""


class BadThresholds(ValueError):  # noqa: N818 (named after the state)
    """One or more variables have no usable value. `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class Thresholds:
    """Where the probe looks, and from which value on it calls something failing."""

    __slots__ = (
        "canary_max_age_s",
        "disk_percent",
        "host",
        "memory_percent",
        "port",
        "store_bytes",
        "store_path",
        "target",
        "timeout_s",
    )

    def __init__(
        self,
        *,
        memory_percent: float = MEMORY_PERCENT,
        disk_percent: float = DISK_PERCENT,
        store_path: str = "/data",
        store_bytes: int | None = None,
        host: str = "127.0.0.1",
        port: int = 8080,
        target: str = "/healthz",
        timeout_s: float = 5.0,
        canary_max_age_s: float = 180.0,
    ) -> None:
        self.memory_percent = memory_percent
        self.disk_percent = disk_percent
        self.store_path = store_path
        self.store_bytes = store_bytes
        """Planned size of the store; None leaves the file system as the only measure."""
        self.host = host
        self.port = port
        self.target = target
        self.timeout_s = timeout_s
        """For the whole probe, not for each step."""
        self.canary_max_age_s = canary_max_age_s


def from_environment(environment: "Mapping[str, str]") -> Thresholds:
    """Read and check all variables.

    Raises:
        BadThresholds: naming every variable that is wrong, its value, and one that would do.
    """
    problems: list[str] = []

    def number(name: str, default: float, low: float, high: float, example: str) -> float:
        text = environment.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            problems.append(f"{name}={text!r} is not a number from {low:g} to {high:g}, for example {example}")
            return default
        return value

    thresholds = Thresholds(
        memory_percent=number("HEALTH_MEMORY_PERCENT", MEMORY_PERCENT, 1, 100, "85"),
        disk_percent=number("HEALTH_DISK_PERCENT", DISK_PERCENT, 1, 100, "80"),
        timeout_s=number("HEALTH_TIMEOUT_S", 5, 0.1, 300, "5"),
        canary_max_age_s=number("HEALTH_CANARY_MAX_AGE_S", 180, 1, 86400, "180"),
    )
    if "HEALTH_STORE_BYTES" in environment:
        thresholds.store_bytes = int(number("HEALTH_STORE_BYTES", 0, 1, 1 << 60, "10737418240"))
    thresholds.store_path = environment.get("HEALTH_STORE_PATH", thresholds.store_path)
    if not thresholds.store_path.startswith("/"):
        problems.append(f"HEALTH_STORE_PATH={thresholds.store_path!r} is not an absolute path, for example /data")
    url = environment.get("HEALTH_URL", "http://127.0.0.1:8080/healthz")
    try:
        thresholds.host, thresholds.port, thresholds.target = split_url(url)
    except ValueError as error:
        problems.append(f"HEALTH_URL={url!r} {error}, for example http://127.0.0.1:8080/healthz")
    if problems:
        raise BadThresholds(problems)
    return thresholds


def split_url(url: str) -> tuple[str, int, str]:
    """Host, port and target of an http URL whose host is an address.

    A name would have to be looked up, which no timeout of the probe could bound; the probe asks its own container.

    Raises:
        ValueError: saying what is wrong with it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme != "http":
        raise ValueError("does not start with http://")
    if not all("!" <= character <= "~" for character in url):
        raise ValueError("has characters that a URL cannot have")
    place, _, path = rest.partition("/")
    if place.startswith("["):
        host, closing, port = place[1:].partition("]")
        is_address = (
            bool(closing) and ":" in host and all(character in "0123456789abcdefABCDEF:." for character in host)
        )
    else:
        host, colon, port = place.partition(":")
        port = colon + port
        host = "127.0.0.1" if host == "localhost" else host
        parts = host.split(".")
        is_address = len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
    if not is_address:
        raise ValueError("has a host that is neither an IP address nor localhost")
    digits = port.removeprefix(":")
    if port and not (port.startswith(":") and digits.isdigit() and 0 < int(digits) < 65536):
        raise ValueError("has a port that is not a number from 1 to 65535")
    return host, int(digits or 80), "/" + path
