"""`cortex size`: the sizing arithmetic for given inputs, without a stack."""

from __future__ import annotations

from collections.abc import Mapping

from infra.settings import load_settings
from infra.sizing import report
from infra.topologies import single_node


def table(inputs: Mapping[str, str]) -> str:
    """The arithmetic for a corpus.

    Args:
        inputs: Keys of `cortex:corpus` and their values; defaults for the rest.

    Returns:
        The table that a preview prints.

    Raises:
        infra.settings.SettingsError: An input cannot be used.
    """
    settings = load_settings({"corpus": dict(inputs)}, "(sizing)")
    return report.table(single_node.sized(settings))
