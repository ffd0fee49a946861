"""`cortex demo`: real texts in, five searches out."""

from ops.demo.show import DEFAULT_TEXTS, run

__all__ = ["DEFAULT_TEXTS", "run"]
