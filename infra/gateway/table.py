"""The allow-list: every endpoint the gateway lets through, as the maps HAProxy looks a request up in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infra.gateway import cortex, native
from infra.gateway.endpoint import Endpoint
from infra.gateway.pattern import NAME, regular_expression, shape

SEPARATOR = "|"
# Order of the fields of a line's value, counted from 1 as HAProxy does.
ROLE_FIELD, TARGET_FIELD, SCOPE_FIELD, REPEAT_FIELD, STORE_FIELD = 1, 2, 3, 4, 5
# The end, and not what stands before a line's end as well.
_END = r"$(?!\n)"
OPEN, REPEATABLE, STORES = "open", "repeatable", "stores"


def endpoints(*, with_chroma: bool) -> tuple[Endpoint, ...]:
    """The endpoints of a topology.

    Args:
        with_chroma: Whether there is a Chroma server, and so its own interface.
    """
    return (*cortex.ENDPOINTS, *native.ENDPOINTS) if with_chroma else cortex.ENDPOINTS


def endpoint_map(listed: Sequence[Endpoint]) -> str:
    """`METHOD:path` as a regular expression → what `fields` says. Each request matches at most one line."""
    return "".join(f"^{each.method}:{regular_expression(each.path)}{_END} {fields(each)}\n" for each in listed)


def fields(endpoint: Endpoint) -> str:
    """The value of an endpoint's line."""
    return SEPARATOR.join(
        (
            endpoint.role.value if endpoint.role else OPEN,
            endpoint.target.value,
            endpoint.scope.value,
            REPEATABLE if endpoint.repeatable else "once",
            STORES if endpoint.stores else "reads",
        )
    )


def method_map(listed: Sequence[Endpoint]) -> str:
    """Path as a regular expression → the methods it has, for the answer to a method it has not."""
    return "".join(f"^{pattern}{_END} {','.join(methods)}\n" for pattern, methods in _methods(listed))


def _methods(listed: Sequence[Endpoint]) -> Iterator[tuple[str, list[str]]]:
    alike: dict[str, list[Endpoint]] = {}
    for each in listed:
        alike.setdefault(shape(each.path), []).append(each)
    for group in alike.values():
        patterns = [regular_expression(each.path) for each in group]
        # Of an id and a name at the same place, the name takes in the id.
        yield max(patterns, key=lambda pattern: pattern.count(NAME)), [each.method for each in group]
