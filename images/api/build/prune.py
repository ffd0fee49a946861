"""`python prune.py FOLDER`: remove from installed distributions what the API never loads at run time."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# Paths below the folder, and why they are not needed.
UNUSED = {
    "onnxruntime/backend": "ONNX's own test interface",
    "onnxruntime/capi/libonnxruntime.so*": "a second copy for C programs; the Python module has its own inside",
    "onnxruntime/datasets": "examples",
    "onnxruntime/quantization": "makes models; the image only runs one",
    "onnxruntime/tools": "converters",
    "onnxruntime/transformers": "makes models",
    "chromadb/cli": "the command line",
    "chromadb/server": "the HTTP server of Chroma",
    "fastapi_offline/static/redoc*": "a second documentation page",
    "numpy/f2py": "a Fortran compiler's front end",
    "bin": "commands of the distributions",
}
EVERYWHERE = ("tests", "test", "__pycache__")
SUFFIXES = (".pyi", ".pxd", ".h", ".a", ".c", ".pyx")


def prune(folder: Path) -> int:
    """Remove what is unused.

    Returns:
        Bytes freed.

    Raises:
        FileNotFoundError: a path of `UNUSED` is not there: a distribution changed, so the list must be looked at.
    """
    before = _bytes(folder)
    for pattern in UNUSED:
        found = list(folder.glob(pattern))
        if not found:
            raise FileNotFoundError(f"{pattern} is not in {folder}; look at UNUSED in {__file__}")
        for path in found:
            _remove(path)
    for name in EVERYWHERE:
        for path in [each for each in folder.rglob(name) if each.is_dir()]:
            _remove(path)
    for path in [each for each in folder.rglob("*") if each.suffix in SUFFIXES and each.is_file()]:
        path.unlink()
    return before - _bytes(folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    print(f"pruned {prune(Path(sys.argv[1])) / 1e6:.1f} MB")  # noqa: T201 -- a build step's way to speak
