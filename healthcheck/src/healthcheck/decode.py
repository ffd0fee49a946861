"""Decoding JSON without the `json` package, whose import costs as much as half the exec probe."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def json_value(text: str) -> object:
    """The one JSON value that the text consists of.

    Raises:
        ValueError: it is no JSON, or more than one value.
        RecursionError: it is nested too deep.
    """
    global _scan  # noqa: PLW0603 (made once, when it is needed)
    if _scan is None:
        _scan = _scanner()
    try:
        return _scan(text)
    except StopIteration:
        raise ValueError("no JSON") from None


_scan: "Callable[[str], object] | None" = None


def _scanner() -> "Callable[[str], object]":
    """`_json.make_scanner` is the C core of `json.loads`; where an interpreter has none, the package does."""
    try:
        from _json import make_scanner  # noqa: PLC0415
    except ImportError:
        from json import loads  # noqa: PLC0415

        return loads

    class Context:
        """The options of `json.JSONDecoder` that the scanner looks up."""

        strict = True
        object_hook = None
        object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = float
        memo: dict[str, str] = {}  # noqa: RUF012

    scan = make_scanner(Context())  # type: ignore[arg-type]  # typeshed declares the context as the scanner itself

    def loads_with_scanner(text: str) -> object:
        value, end = scan(text, 0)
        if end != len(text):
            raise ValueError("more than one JSON value")
        return value

    return loads_with_scanner
