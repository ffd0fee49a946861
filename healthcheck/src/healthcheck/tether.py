"""Runs a command that dies with its parent: `python -IS tether.py PARENT_PID NICE -- COMMAND...`.

The kernel kills this process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG), and a command keeps
that over `exec`. Run as a file, not as a module, so that it starts in a few milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS, _IOPRIO_IDLE = 1, 3 << 13
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""As shells tell it."""


def main(arguments: "list[str]") -> int:
    """Tie this process to its parent and become the command; returns only when that cannot be started."""
    parent, nice, separator, *command = arguments
    if separator != "--" or not command:
        sys.stderr.write("usage: tether.py PARENT_PID NICE -- COMMAND...\n")
        return 2
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)
    if int(nice):
        os.nice(int(nice))
        number = _IOPRIO_SET.get(os.uname().machine)
        if number is not None:
            libc.syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except FileNotFoundError:
        sys.stderr.write(f"{command[0]}: there is no such command\n")
        return _NOT_FOUND
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _NOT_EXECUTABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
