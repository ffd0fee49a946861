"""`cortex recovery-sheet`: what a stack is rebuilt from, on one page to print."""

from __future__ import annotations

import json
from typing import Any

from infra.vocabulary import TargetKind
from ops.stack import Stack, StackError

# What each kind of target is found by, in the order in which it is typed in again.
_SHOWN = {
    TargetKind.VOLUME: (),
    TargetKind.DIRECTORY: ("directory",),
    TargetKind.S3: ("endpoint", "bucket", "region", "path_style", "prefix"),
    TargetKind.SFTP: ("host", "sftp_port", "user", "host_key", "prefix"),
}
_SECRET = {
    TargetKind.VOLUME: (),
    TargetKind.DIRECTORY: (),
    TargetKind.S3: ("access_key_id", "secret_access_key", "ca"),
    TargetKind.SFTP: ("private_key",),
}


def sheet(stack: Stack) -> str:
    """The page. It holds the key: whoever has it and the target has the data.

    Raises:
        StackError: The stack is not up, or has no backups.
    """
    stack.output("url")
    backup: dict[str, Any] | None = stack.outputs.get("backup")
    if not backup:
        raise StackError(f"stack {stack.name} has no backups (cortex:backup.target is none)")
    target = TargetKind(backup["target"])
    set_target = [f"pulumi config set --path backup.target {target}"]
    set_target += [
        f"pulumi config set --path backup.{name} {json.dumps(backup[name])}"
        for name in _SHOWN[target]
        if backup.get(name) not in (None, "")
    ]
    needed = [name for name in _SECRET[target] if backup.get(name)]
    set_target += [f"pulumi config set --path --secret backup.{name}   # you keep it yourself" for name in needed]
    lost = {
        TargetKind.VOLUME: "The target is a Docker volume: it goes with the machine. Another target outlives it.",
        TargetKind.DIRECTORY: "The target is a directory of the same machine, unless something is mounted there.",
    }.get(target, "The target is elsewhere; make sure that you can reach it without this machine.")
    lines = "\n".join(f"    {line}" for line in set_target)
    return f"""CORTEX RECOVERY SHEET                                    stack {stack.name}

Print it, or keep it in a safe place that is not this machine. With it, the project at the
same version ({backup["package"]}) and the target, the stack can be rebuilt on an empty machine.
Without the key below nobody can read the backups, you included.

key      {backup["key"]}
target   {target}
         {lost}

To rebuild, in a checkout of the project:

    make shell STACK={stack.name}
{lines}
    pulumi config set --path --secret backup.encryption_key {backup["key"]}
    pulumi config set --path restore.to latest
    exit
    make up STACK={stack.name}

It comes back with its data, tokens and authority. `restore.to` may also be a moment, such
as 2027-01-31T12:00:00Z, or the id of a base (`cortex backup list`).
"""
