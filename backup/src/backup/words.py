"""Sizes and times for people."""

from __future__ import annotations

import datetime

_UNITS = ("B", "KB", "MB", "GB", "TB")


def size(of_bytes: float) -> str:
    """`1.2 GB`."""
    amount = float(of_bytes)
    for unit in _UNITS:
        if amount < 1000 or unit == _UNITS[-1]:
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"


def seconds(amount_s: float) -> str:
    """`0.4 s`, `3.2 min`, `5.0 h`."""
    if amount_s < 120:
        return f"{amount_s:.1f} s"
    return f"{amount_s / 60:.1f} min" if amount_s < 7_200 else f"{amount_s / 3_600:.1f} h"


def moment(of_epoch_s: float | None) -> str:
    """`2026-11-23 09:00:00 UTC`; `never` for none."""
    if of_epoch_s is None:
        return "never"
    return f"{datetime.datetime.fromtimestamp(of_epoch_s, datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
