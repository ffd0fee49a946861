"""A backup as the beginning of a stack: its secrets and its data, each taken once, and again only if that failed."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi import dynamic

from infra import one_shot


class RestoreProvider(dynamic.ResourceProvider):
    """Runs a container that reads a backup. What it made belongs to the stack: nothing ever undoes it."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Run it.

        Raises:
            OneShotError: It failed; the next `up` tries again.
        """
        printed = one_shot.run(props["container"], props["configuration"])
        return dynamic.CreateResult(
            id_=props["container"]["part"], outs={"wanted": props["wanted"], "printed": printed}
        )

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Another backup is another beginning, which a store with data refuses; nothing else matters."""
        changed = ["wanted"] if olds.get("wanted") != news.get("wanted") else []
        return dynamic.DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=False)


class Restored(dynamic.Resource, module="cortex", name="Restored"):
    """Something taken from a backup.

    Attributes:
        printed: What the container printed, a secret.
    """

    printed: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        container: dict[str, Any],
        configuration: pulumi.Output[str],
        wanted: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it.

        Args:
            name: What is taken.
            container: As `one_shot.run` wants it.
            configuration: What it reads, a secret.
            wanted: Which state of which backup: when it changes, it is taken again.
            opts: Of the resource.
        """
        super().__init__(
            RestoreProvider(),
            name,
            {"container": container, "configuration": configuration, "wanted": wanted, "printed": None},
            pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=["printed"]), opts),
        )

    @property
    def secrets(self) -> pulumi.Output[dict[str, str]]:
        """The secrets that the stack had, by name, where the container printed those."""
        return pulumi.Output.secret(self.printed.apply(_secrets))


def _secrets(printed: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in json.loads(printed)["secrets"].items()}
