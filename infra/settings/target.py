"""Where backups are kept, as one names it in the settings, and the rules for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from infra.settings.problems import Problem
from infra.settings.section import Number, Section
from infra.vocabulary import TargetKind

# What each kind needs, and what else it takes.
_NEEDS = {
    TargetKind.NONE: (),
    TargetKind.VOLUME: (),
    TargetKind.DIRECTORY: ("directory",),
    TargetKind.S3: ("endpoint", "bucket", "access_key_id", "secret_access_key"),
    TargetKind.SFTP: ("host", "user", "private_key", "host_key"),
}
_TAKES = {
    TargetKind.S3: ("region", "path_style", "prefix", "ca"),
    TargetKind.SFTP: ("sftp_port", "prefix"),
}
_EXAMPLES = {
    "directory": "/mnt/backups",
    "endpoint": "https://s3.example.com",
    "bucket": "cortex-backups",
    "access_key_id": "KEY",
    "host": "backup.example.com",
    "user": "cortex",
}


class Target(Section):
    """What names a place for backups."""

    key: ClassVar[str]

    directory: str | None = Field(
        None,
        pattern=r"^/[^:]*[^/:]$",
        description="Directory of the Docker host, with target directory; user 10001 must be able to write there",
        examples=["/mnt/backups"],
    )
    endpoint: str | None = Field(
        None,
        pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$",
        description="URL of the S3 service, with target s3",
        examples=["https://s3.example.com"],
    )
    bucket: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="Bucket, which must exist, with target s3",
        examples=["cortex-backups"],
    )
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]+$", description="Region of the bucket, with target s3")
    path_style: bool = Field(True, description="Whether the bucket is in the path, and not in the host name")
    access_key_id: str | None = Field(
        None, min_length=1, description="Name of the S3 key, with target s3", examples=["KEY"]
    )
    secret_access_key: SecretStr | None = Field(
        None, min_length=1, description="The S3 key; set it with --secret", examples=["(a secret)"]
    )
    ca: SecretStr | None = Field(
        None, min_length=1, description="PEM of the authority that the S3 service shows", examples=["(a secret)"]
    )
    host: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}$",
        description="Name or address, with target sftp",
        examples=["backup.example.com"],
    )
    sftp_port: Number = Field(22, ge=1, le=65_535, description="Port, with target sftp")
    user: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]+$", description="User, with target sftp", examples=["cortex"]
    )
    private_key: SecretStr | None = Field(
        None, min_length=1, description="Its SSH key, PEM; set it with --secret", examples=["(a secret)"]
    )
    host_key: str | None = Field(
        None,
        pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) AAAA[A-Za-z0-9+/=]*$",
        description="The SFTP server's own key, as `ssh-keyscan` tells it without the name",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI..."],
    )
    prefix: str = Field(
        "",
        pattern=r"^$|^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
        description="Path below the bucket or the home of the user, with targets s3 and sftp",
        examples=["prod"],
    )


def check(section: Target, kind: TargetKind) -> Iterator[Problem]:
    """Yield what the kind lacks, and what belongs to another."""
    needed = _NEEDS[kind]
    for name in needed:
        if getattr(section, name) is None:
            example = _EXAMPLES.get(name)
            how = f"{name} {example}" if example else f"{name} < FILE"
            secret = "" if example else "--secret "
            yield Problem(
                f"{section.key}.{name}",
                f"is needed with target {kind}",
                f"pulumi config set --path {secret}{section.key}.{how}",
            )
    taken = {*needed, *_TAKES.get(kind, ())}
    for name in given(section):
        if name in Target.model_fields and name not in taken:
            yield Problem(
                f"{section.key}.{name}",
                f"does not belong to target {kind}",
                f"leave it out, or set cortex:{section.key}.target",
                _shown(getattr(section, name)),
            )


def given(section: Target) -> Iterator[str]:
    """Names of what has another value than by itself: Pulumi hands defaults over as if they had been set."""
    for name, field in type(section).model_fields.items():
        if getattr(section, name) != field.default:
            yield name


def _shown(value: Any) -> str | None:
    return None if isinstance(value, SecretStr) else str(value)
