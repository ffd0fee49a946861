"""What can go wrong with a stack."""

from __future__ import annotations


class StackError(Exception):
    """An operation on the stack failed. The message says what to do; `code` is the exit code to pass on."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
