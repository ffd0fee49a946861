"""One writer per store: a lock that the kernel drops when its holder dies."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
import socket
import sys
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from store.errors import EXIT_LOCKED, StoreError, StoreReadOnly
from store.lock_file import DIRECTORY, open_lock_file

FILE_NAME = "lock"
_HELD: weakref.WeakSet[WriterLock] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds, or held, the lock: for messages only, the lock itself is the kernel's."""

    pid: int
    """In the holder's own PID namespace."""
    host: str
    boot: str
    """Boot id of the kernel: differs when the volume moved to another machine, or the machine was restarted."""
    container: str
    """Id of the container, shortened; empty outside of one."""
    since: str
    """ISO 8601, UTC."""
    program: str

    def __str__(self) -> str:
        place = f"container {self.container}" if self.container else f"host {self.host}"
        return f"process {self.pid} ({self.program}) in {place} since {self.since}"


class StoreLocked(StoreError):  # noqa: N818
    """Another process writes the store."""

    exit_code = EXIT_LOCKED

    def __init__(self, path: Path, holder: Holder | None) -> None:
        self.path = path
        self.holder = holder
        super().__init__(
            f"the store {path} is already written by {holder or 'a process that has not yet said who it is'}. A store "
            "has exactly one writer: stop that process, or give this one a store of its own. The lock ends with its "
            "process; deleting the file would only hide the danger."
        )


class WriterLock:
    """The right to write a store, held from `__enter__` to `__exit__` or the death of the process.

    `flock` on `<store>/.cortex/lock`: seen by all containers of a machine that share the volume, and never left
    behind, since the kernel drops it. The file stays and tells who holds the lock. Children do not inherit it, neither
    by exec nor by fork.

    Attributes:
        predecessor: who held the lock before and did not give it back (it was killed); None after a clean end.
    """

    def __init__(self, path: Path, *, program: str | None = None) -> None:
        """Args: path: the store. program: what to call this process in the message to a second one."""
        self.path = Path(path)
        self.predecessor: Holder | None = None
        self._program = program or _program()
        self._descriptor: int | None = None

    @property
    def file(self) -> Path:
        """The file that is locked."""
        return self.path / DIRECTORY / FILE_NAME

    def __enter__(self) -> Self:
        """Take the lock without waiting.

        Raises:
            StoreLocked: another process, or another lock of this one, has it.
            StoreMissing: the store's directory does not exist.
            StoreReadOnly: the lock file cannot be made or written.
            StoreError: the file system has no locks.
        """
        if self._descriptor is not None:
            raise StoreLocked(self.path, self._read(self._descriptor))
        descriptor = open_lock_file(self.path, FILE_NAME)
        try:
            self._take(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _HELD.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back, and note in the file that it was given back."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        _HELD.discard(self)
        with contextlib.suppress(OSError):  # a full or vanished disk must not keep the lock
            os.ftruncate(descriptor, 0)
        # Closing alone would leave the lock with a child that is just being started and still has the copy.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def fileno(self) -> int:
        """The locked descriptor. A child that gets it (`pass_fds`) keeps the lock as long as it lives.

        Raises:
            ValueError: the lock is not held.
        """
        if self._descriptor is None:
            raise ValueError(f"the lock of {self.path} is not held")
        return self._descriptor

    @staticmethod
    def inherited(path: Path, descriptor: int) -> None:
        """Check that this process was given the store's lock by the parent that holds it.

        Raises:
            StoreLocked: the descriptor is not this store's lock file, or is not what holds the lock.
        """
        file = Path(path) / DIRECTORY / FILE_NAME
        try:
            same = os.path.samestat(os.fstat(descriptor), file.stat())
            if same:
                # The same open file may take it again; any other is refused while it is held.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            same = False
        if not same:
            holder = None
            with contextlib.suppress(OSError, TypeError, ValueError):
                holder = Holder(**json.loads(file.read_text()))
            raise StoreLocked(Path(path), holder)

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(self.path, self._read(descriptor)) from None
        except OSError as error:
            raise StoreError(
                f"the file system of {self.path} has no locks ({error.strerror}), so two writers could not be kept "
                "apart. Put the store on a local or block volume."
            ) from error
        self.predecessor = self._read(descriptor)
        self._write(descriptor)

    def _write(self, descriptor: int) -> None:
        text = json.dumps(asdict(myself(self._program))) + "\n"
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                return  # locked all the same: who has it is for messages only, and a full disk must be waited out
            raise StoreReadOnly(f"{self.file} cannot be written ({error.strerror}).") from error

    @staticmethod
    def _read(descriptor: int) -> Holder | None:
        """What the file says; None when it is empty, half-written or of another kind."""
        try:
            return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
        except (OSError, TypeError, ValueError):
            return None

    def _forget(self) -> None:
        """In a forked child: close the copy of the descriptor, which does not release the parent's lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _forget_in_child() -> None:
    for held in list(_HELD):
        held._forget()
    _HELD.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def myself(program: str) -> Holder:
    """This process, as the holder of a lock from now on."""
    return Holder(
        pid=os.getpid(),
        host=socket.gethostname(),
        boot=_text(Path("/proc/sys/kernel/random/boot_id")).strip(),
        container=_container_id(_text(Path("/proc/self/mountinfo"))),
        since=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        program=program,
    )


def _container_id(mountinfo: str) -> str:
    """The id by which Docker, containerd and CRI-O name the files that they mount, 12 digits as in `docker ps`."""
    found = re.search(r"/(?:containers|sandboxes|overlay-containers)/([0-9a-f]{64})/", mountinfo)
    return found[1][:12] if found else ""


def _program() -> str:
    """This program without its arguments, which may hold secrets."""
    arguments = sys.orig_argv
    if "-m" in arguments[:-1]:
        return f"python -m {arguments[arguments.index('-m') + 1]}"
    return Path(sys.argv[0]).name if sys.argv and sys.argv[0] not in {"", "-c"} else "python"


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
