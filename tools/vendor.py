"""The vendor's downloads: resumed, checked against the published SHA-256, unpacked, and only then visible."""

from __future__ import annotations

import bz2
import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import httpx

from tools import certificates
from tools.binaries import vendor_folder
from tools.errors import OutOfReachError, RefusedError
from tools.host import Host
from tools.locations import Locations
from tools.versions import RELEASES_URL, RELEASES_VARIABLE, Tool

# Short: it only decides whether the vendor answers at all. Long: a slow line must still get there.
PROBE_TIMEOUT = httpx.Timeout(4.0, connect=3.0)
DOWNLOAD_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
ATTEMPTS = 3


def releases_url(environ: Mapping[str, str]) -> str:
    """Where releases are downloaded from: the vendor, or a mirror of it."""
    return environ.get(RELEASES_VARIABLE, RELEASES_URL).rstrip("/")


class Vendor:
    """One download server. Proxies and certificate bundles come from the usual variables."""

    def __init__(self, where: Locations, host: Host, environ: Mapping[str, str] | None = None) -> None:
        self._where = where
        self._host = host
        self._url = releases_url(os.environ if environ is None else environ)
        self._client = httpx.Client(follow_redirects=True, timeout=DOWNLOAD_TIMEOUT, verify=certificates.trust())
        self._answers: bool | None = None

    def answers(self) -> bool:
        """Whether the server answers from here; asked once per run."""
        if self._answers is None:
            try:
                self._client.head(self._url, timeout=PROBE_TIMEOUT)
            except httpx.TransportError:
                self._answers = False
            else:
                self._answers = True
        return self._answers

    def fetch(self, tool: Tool, tell: Callable[[str], None] = lambda _: None) -> Path:
        """Downloads, checks and unpacks a tool; returns the folder of its binaries.

        Raises:
            OutOfReachError: The server does not answer, or does not have this release.
            RefusedError: What it sent is not what it published; nothing of it is kept.
        """
        if tool.release is None:
            raise OutOfReachError(f"{tool.name} {tool.version} is not downloaded from the vendor")
        if not self.answers():
            raise OutOfReachError(f"{self._url} does not answer")
        archive_path, checksums_path = tool.release.for_host(self._host, tool.version)
        name = archive_path.rpartition("/")[2]
        wanted = published_sum(self._text(checksums_path), name)
        self._where.downloads.mkdir(parents=True, exist_ok=True)
        archive = self._where.downloads / name
        tell(f"downloading {name}")
        self._download(archive_path, archive, wanted)
        folder = vendor_folder(tool, self._where, self._host)
        unpack(archive, folder, tool.binaries)
        archive.unlink()
        return folder

    def _text(self, path: str) -> str:
        try:
            answer = self._client.get(f"{self._url}/{path}")
            answer.raise_for_status()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            raise OutOfReachError(f"{self._url}/{path}: {error}") from error
        return answer.text

    def _download(self, path: str, target: Path, wanted: str) -> None:
        """Fills `target`, going on where an earlier try stopped."""
        partial = target.with_name(f"{target.name}.partial")
        url = f"{self._url}/{path}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._stream(url, partial)
                break
            except httpx.HTTPStatusError as error:
                raise OutOfReachError(f"{url}: {error}") from error
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise OutOfReachError(
                        f"{url}: the download broke off {ATTEMPTS} times ({error}); what came is kept and resumed"
                    ) from error
        got = file_sum(partial)
        if got != wanted:
            partial.unlink()
            raise RefusedError(
                f"{url}: SHA-256 is {got}, the vendor published {wanted}. The file was thrown away; "
                "try again, and if it stays so, ask whoever runs the proxy or mirror in between"
            )
        partial.replace(target)

    def _stream(self, url: str, partial: Path) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        # The bytes as they are on the server: sums and ranges are about those.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # all of it is there already; the sum will tell
            answer.raise_for_status()
            # A server that ignores Range sends everything again.
            mode = "ab" if answer.status_code == httpx.codes.PARTIAL_CONTENT else "wb"
            with partial.open(mode) as out:
                for chunk in answer.iter_raw():
                    out.write(chunk)


def published_sum(text: str, name: str) -> str:
    """The SHA-256 of `name` in a list of `<sum>  <name>` lines.

    Raises:
        RefusedError: The list does not name the file.
    """
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1].lstrip("*") == name and len(fields[0]) == 64:
            return fields[0].lower()
    raise RefusedError(f"the vendor's list of checksums does not name {name}; without a checksum it is not used")


def file_sum(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def unpack(archive: Path, folder: Path, binaries: tuple[str, ...]) -> None:
    """Takes the named binaries out of an archive, wherever they lie in it; `folder` appears complete or not at all.

    Args:
        archive: A .tar.gz, or a .bz2, which is the first of the binaries.
        folder: Where they go.
        binaries: Their names.

    Raises:
        RefusedError: One of them is not in it, or it is not an archive.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if archive.suffix == ".bz2":
            with bz2.open(archive) as content:
                _place(content, partial / binaries[0])
        else:
            _untar(archive, partial, binaries)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RefusedError(f"{archive.name} cannot be unpacked: {error}") from error
    if lacking := [name for name in binaries if not (partial / name).is_file()]:
        raise RefusedError(f"{archive.name} lacks {', '.join(lacking)}")
    partial.replace(folder)


def _untar(archive: Path, folder: Path, binaries: tuple[str, ...]) -> None:
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in binaries else None
            if content is not None:
                with content:
                    _place(content, folder / name)


def _place(content: IO[bytes], binary: Path) -> None:
    with binary.open("wb") as out:
        shutil.copyfileobj(content, out)
    binary.chmod(0o755)
