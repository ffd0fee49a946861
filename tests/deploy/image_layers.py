"""What the layers of an image weigh."""

from __future__ import annotations

from tests.deploy.deployment import Deployment

MB = 1_000_000


def above_and_below(deployment: Deployment, part: str) -> tuple[int, int, str]:
    """Bytes of a container's image above its OS image, bytes of that, and all layers in words."""
    image = deployment.inspect(part)["Image"]
    shape = "{{.Size}}\t{{.CreatedBy}}"
    lines = deployment.docker(["history", "--no-trunc", "--human=false", "--format", shape, image]).splitlines()
    layers = [(int(size), maker) for size, maker in (line.split("\t") for line in lines)]
    # The newest layer comes first; ours begin with the variables.
    first_own = max(index for index, (_, maker) in enumerate(layers) if "PYTHONPATH=/opt/cortex" in maker)
    above = sum(size for size, _ in layers[: first_own + 1])
    below = sum(size for size, _ in layers[first_own + 1 :])
    return above, below, "\n".join(f"{size / MB:8.1f} MB  {maker[:100]}" for size, maker in layers)
