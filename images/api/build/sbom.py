"""`python sbom.py OUT --folder LIB … --dpkg STATUS [--model MANIFEST]`: a CycloneDX 1.5 list of what an image holds."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]


def python_components(folder: Path) -> Iterator[Component]:
    """Distributions installed in `folder`."""
    for each in sorted(distributions(path=[str(folder)]), key=lambda found: found.metadata["Name"].lower()):
        name, version = each.metadata["Name"], each.version
        component = _component(name, version, f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}")
        license_name = _license(each)
        if license_name:
            component["licenses"] = [{"license": {"name": license_name}}]
        yield component


def os_components(status: str) -> Iterator[Component]:
    """Packages that Debian's `status` file calls installed."""
    for record in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", record, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}"
            yield _component(name, version, purl)


def model_component(manifest: dict[str, Any]) -> Component:
    """The embedding model."""
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{manifest['name']}",
        "name": manifest["name"],
        "version": manifest["precision"],
        "description": f"from {manifest['source']}, weights sha256 {manifest['weights_sha256']}",
        "hashes": [{"alg": "SHA-256", "content": manifest["sha256"]}],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def document(components: list[Component], name: str, version: str) -> dict[str, Any]:
    """The bill of materials. No time and no serial number: the same content gives the same bytes."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": components,
    }


def _component(name: str, version: str, purl: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _license(each: Distribution) -> str | None:
    named = next((each.metadata[key] for key in ("License-Expression", "License") if key in each.metadata), None)
    if named and "\n" not in named:
        return str(named)
    classifiers = each.metadata.get_all("Classifier") or []
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    return names[0] if names else None


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--folder", type=Path, action="append", default=[], help="installed distributions")
    parser.add_argument("--dpkg", type=Path, help="/var/lib/dpkg/status of the OS image; skipped if absent")
    parser.add_argument("--model", type=Path, help="manifest.json of an embedding model; skipped if absent")
    parser.add_argument("--name", default="cortex-api", help="of the image")
    parser.add_argument("--version", default="0")
    arguments = parser.parse_args()
    components = [each for folder in arguments.folder for each in python_components(folder)]
    if arguments.dpkg and arguments.dpkg.is_file():
        components += os_components(arguments.dpkg.read_text(encoding="utf-8"))
    if arguments.model:
        components.append(model_component(json.loads(arguments.model.read_text(encoding="utf-8"))))
    listed = document(components, arguments.name, arguments.version)
    arguments.out.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    print(f"sbom: {len(components)} components")  # noqa: T201 -- a build step's way to speak
    return 0


if __name__ == "__main__":
    sys.exit(main())
