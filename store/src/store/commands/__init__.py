"""The commands of `python -m store`, in the order in which the help lists them."""

from store.commands import adopt, assemble, compact, copy, inspect, prepare, receive, renew, repair, send, verify
from store.commands.command import Command

COMMANDS: tuple[Command, ...] = (
    prepare.COMMAND,
    inspect.COMMAND,
    verify.COMMAND,
    repair.COMMAND,
    copy.COMMAND,
    assemble.COMMAND,
    compact.COMMAND,
    renew.COMMAND,
    adopt.COMMAND,
    send.COMMAND,
    receive.COMMAND,
)
