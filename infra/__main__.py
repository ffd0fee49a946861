"""The Pulumi program: settings, sizing, plan, resources."""

from __future__ import annotations

import pulumi

from infra import program

try:
    program.run()
except program.Refused as refusal:
    raise pulumi.RunError(str(refusal)) from None
