"""`cortex demo`: real texts in, five searches out."""

from ops.demo.client import Api
from ops.demo.show import DEFAULT_TEXTS, run

__all__ = ["DEFAULT_TEXTS", "Api", "run"]
