"""The commands of `python -m store`, in the order in which the help lists them."""

from store.commands import compact, copy, inspect, prepare
from store.commands.command import Command

COMMANDS: tuple[Command, ...] = (prepare.COMMAND, inspect.COMMAND, copy.COMMAND, compact.COMMAND)
