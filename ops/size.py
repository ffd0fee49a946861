"""`cortex size`: the sizing arithmetic for given inputs, without a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from infra import embedding_models, topologies
from infra.settings import Settings, load_settings
from infra.sizing import report
from infra.sizing.coefficients import GIB, MIB


def table(inputs: Mapping[str, str]) -> str:
    """The arithmetic for a corpus.

    Args:
        inputs: Keys of `cortex:corpus`, dotted paths such as `limits.headroom_percent`, or `topology`, and their
            values; defaults for the rest. Dimensions without a model stand for the model that has them, else for
            vectors of one's own.

    Returns:
        The table that a preview prints.

    Raises:
        infra.settings.SettingsError: An input cannot be used.
    """
    settings = _settings(inputs)
    limits = settings.limits
    return report.stack_table(
        topologies.sized(settings),
        memory_limit_bytes=limits.memory_mib * MIB if limits.memory_mib else None,
        disk_bytes=limits.disk_gib * GIB if limits.disk_gib else None,
    )


def record(inputs: Mapping[str, str]) -> dict[str, Any]:
    """The same as JSON: bytes, seconds, counts, each with what it is made of.

    Args:
        inputs: As of `table`.

    Raises:
        infra.settings.SettingsError: An input cannot be used.
    """
    return asdict(topologies.sized(_settings(inputs)))


def _settings(inputs: Mapping[str, str]) -> Settings:
    groups: dict[str, Any] = {"corpus": {}}
    for key, value in inputs.items():
        group, dot, inner = key.partition(".")
        if key == "topology":
            groups[key] = value
        else:
            groups.setdefault(group if dot else "corpus", {})[inner if dot else key] = value
    corpus = groups["corpus"]
    if "dimensions" in corpus and "model" not in corpus:
        corpus["model"] = _model_with(corpus["dimensions"])
    return load_settings(groups, "(sizing)")


def _model_with(dimensions: str) -> str:
    return next(
        (model.name for model in embedding_models.KNOWN.values() if str(model.dimensions) == dimensions),
        embedding_models.CUSTOM,
    )
