"""The figure of churn: memory and disk of both servers over collections, disk and time over rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bench.churn import Course, Sample

_COLOURS = {"guarded": "#1f6f8b", "stock": "#c0392b"}
_PANELS: tuple[tuple[str, str, str, Callable[[Any], float]], ...] = (
    ("collections", "memory, MB", "collections created and deleted", lambda sample: sample.rss_bytes / 1e6),
    ("collections", "disk, MB", "collections created and deleted", lambda sample: sample.disk_bytes / 1e6),
    ("rounds", "disk, MB", "rounds of adding and deleting 1,000 rows", lambda sample: sample.disk_bytes / 1e6),
    ("rounds", "adding 1,000 rows, s", "rounds of adding and deleting 1,000 rows", lambda sample: sample.took_s),
)


def draw(courses: Mapping[str, Mapping[str, Course]], path: Path) -> None:
    """Write the figure, the same bytes for the same samples."""
    import matplotlib as mpl  # noqa: PLC0415 -- only `make churn` has it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 -- as above

    plt.rcParams.update({"svg.hashsalt": "churn", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axis, (part, unit, what, value) in zip(axes.flat, _PANELS, strict=True):
        for who, parts in courses.items():
            samples: list[Sample] = parts[part].samples
            axis.plot(
                [each.done for each in samples], [value(each) for each in samples], color=_COLOURS[who], label=who
            )
        axis.set_xlabel(what)
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes.flat[0].legend(frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
