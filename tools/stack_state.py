"""Makes a stack known to the backend without writing anything into the checkout."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from tools.commands import run
from tools.environment import environment
from tools.locations import CHECKOUT

LIMIT_S = 120.0


def ensure_stack(name: str, environ: Mapping[str, str] | None = None, checkout: Path = CHECKOUT) -> bool:
    """Creates the stack in the backend unless it exists.

    It is created from a scratch copy of the project, because Pulumi writes the stack's salt beside the project file;
    afterwards it lives in the state alone, for this clone and any other. A `secretsprovider` in the stack's settings
    file is respected.

    Args:
        name: Stack, such as `dev`.
        environ: From `environment()` (the default).
        checkout: Folder of Pulumi.yaml.

    Returns:
        True if it was created.

    Raises:
        ToolError: The backend refused; carries what Pulumi said.
    """
    env = dict(environment() if environ is None else environ)
    if _in_file_backend(name, env, checkout):
        return False
    with tempfile.TemporaryDirectory(prefix="cortex-stack-") as scratch:
        for file in ("Pulumi.yaml", f"Pulumi.{name}.yaml"):
            if (checkout / file).is_file():
                shutil.copyfile(checkout / file, Path(scratch) / file)
        pulumi = ["pulumi", "--non-interactive", "--cwd", scratch]
        what = f"stack {name}"
        listed = json.loads(run([*pulumi, "stack", "ls", "--json"], what=what, timeout_s=LIMIT_S, env=env))
        if any(stack["name"] == name for stack in listed):
            return False
        provider = _secrets_provider(Path(scratch) / f"Pulumi.{name}.yaml")
        flags = ["--secrets-provider", provider] if provider else []
        run([*pulumi, "stack", "init", name, "--no-select", *flags], what=what, timeout_s=LIMIT_S, env=env)
    return True


def _in_file_backend(name: str, env: Mapping[str, str], checkout: Path) -> bool:
    """A look at the file saves half a second on every warm run; other backends are asked."""
    url = env.get("PULUMI_BACKEND_URL", "")
    if not url.startswith("file:///"):
        return False
    project = yaml.safe_load((checkout / "Pulumi.yaml").read_text())["name"]
    stacks = Path(url.removeprefix("file://")) / ".pulumi" / "stacks" / project
    return any((stacks / f"{name}.json{packed}").is_file() for packed in ("", ".gz", ".zst"))


def _secrets_provider(settings: Path) -> str:
    if not settings.is_file():
        return ""
    given = yaml.safe_load(settings.read_text()) or {}
    return str(given.get("secretsprovider", ""))
