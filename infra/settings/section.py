"""What groups of settings are made of."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict


def _no_boolean(value: Any) -> Any:
    """YAML's `yes` and `on` are booleans, and Python counts them as 1: a number was meant."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")  # noqa: TRY004 - Pydantic collects these
    return value


Number = Annotated[int, BeforeValidator(_no_boolean)]
Decimal = Annotated[float, BeforeValidator(_no_boolean), AllowInfNan(False)]


class Section(BaseModel):
    """A group of settings. Immutable, and closed: a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: ClassVar[str]
