"""The words a stack's settings may use, each written once."""

from __future__ import annotations

from enum import StrEnum


class Platform(StrEnum):
    """Where a stack runs."""

    DOCKER = "docker"


class Topology(StrEnum):
    """How the parts of a stack are laid out."""

    SINGLE_NODE = "single-node"
    CLIENT_SERVER = "client-server"


class Precision(StrEnum):
    """Number format of the embedding model's weights inside the image."""

    INT8 = "int8"
    FP16 = "fp16"
    FP32 = "fp32"


class MemoryShort(StrEnum):
    """What the guard does when the stored data is predicted to need more memory than the limit."""

    REFUSE = "refuse"
    DEGRADED = "degraded"


class TargetKind(StrEnum):
    """Where backups are kept."""

    NONE = "none"
    VOLUME = "volume"
    DIRECTORY = "directory"
    S3 = "s3"
    SFTP = "sftp"


class Role(StrEnum):
    """What the holder of a token may do."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Purpose(StrEnum):
    """What is behind a published port."""

    TLS = "tls"
    PLAIN = "plain"
    METRICS = "metrics"
