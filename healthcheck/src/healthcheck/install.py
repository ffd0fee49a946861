"""Writes the probe's launcher into an image: `python3 -m healthcheck.install /opt/cortex/bin/healthcheck`.

The launcher names the interpreter and the directory of this package, so that nothing has to be searched when it runs,
and starts Python without `site` (-S), user settings or environment (-I).
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_LAUNCHER = """\
#!{python} -IS
import sys
sys.path[:0] = {packages!r}
from healthcheck.probe import main
code = main()
from os import _exit
_exit(code)
"""


def install(target: Path, python: Path, packages: Sequence[Path]) -> None:
    """Write the launcher.

    Args:
        target: the executable to write; its directory is made.
        python: the interpreter which is in the image when the launcher runs.
        packages: the directories which hold `healthcheck` and `psutil` then.

    Raises:
        ValueError: the kernel could not start the script, because of a blank or the length of its first line.
    """
    first_line = f"#!{python} -IS"
    if any(character.isspace() for character in str(python)) or len(first_line) > 127:
        raise ValueError(f"the path of the interpreter cannot be used in a first line: {first_line!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_LAUNCHER.format(python=python, packages=[str(directory) for directory in packages]))
    target.chmod(0o755)


def main() -> int:
    """Install for the interpreter that runs this, and the directory that this package was loaded from."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.stderr.write("usage: python3 -m healthcheck.install TARGET, for example /opt/cortex/bin/healthcheck\n")
        return 2
    # A virtual environment's interpreter is a link; the real one starts without looking for the environment.
    install(Path(sys.argv[1]), Path(os.path.realpath(sys.executable)), _package_directories())
    return 0


def _package_directories() -> list[Path]:
    """Where this package and psutil are: one directory in an image, two in a development environment."""
    here = Path(__file__).resolve().parent.parent
    psutil = importlib.util.find_spec("psutil")
    if psutil is None or psutil.origin is None:
        raise SystemExit(
            "psutil is not installed beside healthcheck; without it a container with no memory limit fails"
        )
    return list(dict.fromkeys([here, Path(psutil.origin).resolve().parent.parent]))


if __name__ == "__main__":
    sys.exit(main())
