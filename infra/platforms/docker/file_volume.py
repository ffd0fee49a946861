"""Files for read-only containers: a one-shot writer fills a small volume.

Nothing of it shows in `docker inspect`, and a changed file replaces only the writer.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from infra import names
from infra.plan import FileVolume, Security
from infra.platforms.docker.labels import labels

# The writer hands the files to the group of the containers that read them; root keeps the ownership.
FILE_MODE = "0440"
WRITER_MEMORY_MIB = 64
# A reader sees each file as it was or as it is, never half of it: written beside it, then renamed.
NEW = ".new"


class Files(pulumi.ComponentResource):
    """A volume with files, and the writer that fills it.

    Attributes:
        volume_name: Name of the volume on the host, known once the files are in place.
    """

    volume_name: pulumi.Output[str]

    def __init__(
        self,
        stack: str,
        files: FileVolume,
        secrets: Mapping[str, pulumi.Output[str]],
        *,
        image_id: pulumi.Input[str],
        security: Security,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("cortex:docker:SecretFiles", files.name, None, opts)
        volume = docker.Volume(
            files.name,
            name=names.on_host(stack, files.name),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["labels"]),
        )
        # Of no outputs at all Pulumi makes a list, and no secret: settings may be secret as well.
        given = pulumi.Output.all(**{key: secrets[key] for key in files.secrets})
        made = given.apply(lambda values: files.content(dict(values)))
        content: pulumi.Output[Mapping[str, str]] = pulumi.Output.secret(made)
        folder = files.mount_path
        writer = docker.Container(
            f"{files.name}-writer",
            labels=labels(stack, names.WRITER),
            image=image_id,
            entrypoints=["/bin/sh", "-euc"],
            command=[_put_in_place(folder, files.files, security.gid)],
            user="0:0",
            network_mode="none",
            must_run=False,
            attach=True,
            restart="no",
            log_driver="none",
            memory=WRITER_MEMORY_MIB,
            memory_swap=WRITER_MEMORY_MIB,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=["CAP_CHOWN", "CAP_FOWNER"]),
            security_opts=["no-new-privileges"],
            mounts=[docker.ContainerMountArgs(type="volume", source=volume.name, target=folder)],
            uploads=[
                docker.ContainerUploadArgs(file=f"{folder}/{name}{NEW}", content=content[name]) for name in files.files
            ],
            # Deleting the old writer first would replace whoever depends on it, the server above all; so its name is
            # left to Pulumi, and the labels tell whose it is.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
        )
        self.volume_name = pulumi.Output.all(volume.name, writer.id).apply(lambda parts: str(parts[0]))
        self.register_outputs({"volume_name": self.volume_name})


def _put_in_place(folder: str, wanted: tuple[str, ...], gid: int) -> str:
    """The writer's shell script: owner and mode, then all names at once; what is no longer wanted goes last."""
    new = " ".join(f"{name}{NEW}" for name in wanted)
    keep = "|".join(wanted)
    return (
        f"cd {folder}; chown 0:{gid} {new}; chmod {FILE_MODE} {new};"
        f' for each in {" ".join(wanted)}; do mv -f "$each{NEW}" "$each"; done;'
        f' for each in *; do case "$each" in {keep}) ;; *) rm -rf "$each" ;; esac; done'
    )
