"""The commands of `python -m backup`, in the order in which the help lists them."""

from backup.commands import check, drill, drilling, export, list_, now, reports, restore, retain, run, state, status
from backup.commands.command import Command

COMMANDS: tuple[Command, ...] = (
    run.COMMAND,
    now.COMMAND,
    list_.COMMAND,
    check.COMMAND,
    status.COMMAND,
    retain.COMMAND,
    restore.COMMAND,
    state.COMMAND,
    drill.COMMAND,
    drilling.COMMAND,
    reports.COMMAND,
    export.COMMAND,
)
