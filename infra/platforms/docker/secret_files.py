"""Secret files for read-only containers: a one-shot writer fills a small volume, others mount it read-only.

Nothing of it shows in `docker inspect`, and a changed file replaces only the writer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from infra import names
from infra.plan import SecretVolume, Security, Token, TokenFile
from infra.platforms.docker.labels import labels

# The writer hands the files to the group of the containers that read them; root keeps the ownership.
FILE_MODE = "0440"
WRITER_MEMORY_MIB = 64


class SecretFiles(pulumi.ComponentResource):
    """A volume with secret files, and the writer that fills it.

    Attributes:
        volume_name: Name of the volume on the host, known once the files are in place.
    """

    volume_name: pulumi.Output[str]

    def __init__(
        self,
        stack: str,
        secrets: SecretVolume,
        tokens: Mapping[str, tuple[Token, pulumi.Output[str]]],
        *,
        image_id: pulumi.Input[str],
        security: Security,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("cortex:docker:SecretFiles", secrets.name, None, opts)
        volume = docker.Volume(
            secrets.name,
            name=names.on_host(stack, secrets.name),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["labels"]),
        )
        paths = [f"{secrets.mount_path}/{file.name}" for file in secrets.files]
        writer = docker.Container(
            f"{secrets.name}-writer",
            labels=labels(stack, names.WRITER),
            image=image_id,
            entrypoints=["/bin/sh", "-euc"],
            command=[f"chown 0:{security.gid} {' '.join(paths)} && chmod {FILE_MODE} {' '.join(paths)}"],
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
            mounts=[docker.ContainerMountArgs(type="volume", source=volume.name, target=secrets.mount_path)],
            uploads=[
                docker.ContainerUploadArgs(file=path, content=_content(file, tokens))
                for path, file in zip(paths, secrets.files, strict=True)
            ],
            # Deleting the old writer first would replace whoever depends on it, the server above all; so its name is
            # left to Pulumi, and the labels tell whose it is.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
        )
        self.volume_name = pulumi.Output.all(volume.name, writer.id).apply(lambda parts: str(parts[0]))
        self.register_outputs({"volume_name": self.volume_name})


def _content(file: TokenFile, tokens: Mapping[str, tuple[Token, pulumi.Output[str]]]) -> pulumi.Output[str]:
    chosen = [tokens[name] for name in file.tokens]
    return pulumi.Output.all(*(value for _, value in chosen)).apply(
        lambda values: token_hashes([token for token, _ in chosen], values)
    )


def token_hashes(tokens: list[Token], values: list[str]) -> str:
    """The token file: names, roles and SHA-256 hashes as JSON. The tokens themselves never reach a container."""
    entries = [
        {"name": token.name, "role": token.role.value, "sha256": hashlib.sha256(value.encode()).hexdigest()}
        for token, value in zip(tokens, values, strict=True)
    ]
    return json.dumps(entries, indent=1) + "\n"
