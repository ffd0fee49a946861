"""What this machine is, in the words of the download servers and of Go."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from tools.errors import ToolError

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Host:
    """An operating system and a processor.

    Attributes:
        go_os: linux or darwin.
        go_arch: amd64 or arm64.
    """

    go_os: str
    go_arch: str

    @property
    def pulumi_arch(self) -> str:
        """As in the names of the Pulumi CLI's archives: x64 or arm64."""
        return "x64" if self.go_arch == "amd64" else self.go_arch

    @property
    def litestream_arch(self) -> str:
        """As in the names of Litestream's archives: x86_64 or arm64."""
        return "x86_64" if self.go_arch == "amd64" else self.go_arch


def this_host() -> Host:
    """The machine this runs on.

    Raises:
        ToolError: Neither Linux nor macOS, or a processor other than amd64 and arm64.
    """
    return host_of(platform.system(), platform.machine())


def host_of(system: str, machine: str) -> Host:
    """A machine by the names that `uname` has for its system and processor.

    Raises:
        ToolError: Neither Linux nor macOS, or a processor other than amd64 and arm64.
    """
    if system not in _SYSTEMS or machine.lower() not in _MACHINES:
        raise ToolError(f"{system} on {machine} is not supported; Linux and macOS on amd64 and arm64 are")
    return Host(_SYSTEMS[system], _MACHINES[machine.lower()])
