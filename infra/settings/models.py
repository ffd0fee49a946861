"""What can be set in `Pulumi.<stack>.yaml`: names, types, ranges, defaults and descriptions.

A value that cannot be used is answered with what a field accepts and an example: its own, else its default.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from infra import embedding_models
from infra.settings.backup import Backup, Restore
from infra.settings.entry import Access, Gateway, Tls, Token, TokenName
from infra.settings.section import Decimal, Number, Section
from infra.settings.store_host import StoreHost
from infra.vocabulary import MemoryShort, Platform, Precision, Role, Topology


def _known(model: str) -> str:
    if model not in embedding_models.KNOWN:
        raise ValueError("is not a model that is known by name")
    return model


Model = Annotated[str, AfterValidator(_known)]


# At 384 dimensions the computed memory limit is then above 120 GiB: what outgrows it needs more than one server.
MOST_VECTORS = 50_000_000


class Corpus(Section):
    """What will be stored, as upper bounds at the start of the horizon."""

    key: ClassVar[str] = "corpus"

    vectors: Number = Field(100_000, ge=1, le=MOST_VECTORS, description="Records stored, all collections together")
    model: Model = Field(
        embedding_models.DEFAULT,
        description="Embedding model the vectors come from; custom when it is none of the others",
        json_schema_extra={"enum": [*embedding_models.KNOWN]},
    )
    dimensions: Number | None = Field(
        None,
        ge=1,
        le=16_384,
        description="Length of a vector; taken from the model, needed with model custom",
        examples=[384],
    )
    collections: Number = Field(
        20, ge=1, le=10_000, description="Most collections the API lets anyone create; over 100 is warned of"
    )
    document_bytes: Number = Field(1_000, ge=0, le=1_000_000, description="Mean size of a record's text, bytes")
    metadata_bytes: Number = Field(200, ge=0, le=100_000, description="Mean size of a record's metadata, bytes")
    batch_rows: Number = Field(1_000, ge=1, le=5_000, description="Most records written in one request")
    updates_per_day: Number = Field(1_000, ge=0, le=100_000_000, description="Records written again or deleted a day")
    growth_percent_per_month: Decimal = Field(0.0, ge=0, le=100, description="Growth of `vectors`, percent a month")
    horizon_months: Number = Field(12, ge=1, le=120, description="Months the stack must last without being resized")


class Limits(Section):
    """Resources set by hand. A memory limit below the computed need is refused."""

    key: ClassVar[str] = "limits"

    memory_mib: Number | None = Field(
        None, ge=128, le=4_194_304, description="Memory limit, MiB; computed when absent", examples=[2048]
    )
    disk_gib: Number | None = Field(
        None, ge=1, le=65_536, description="Planned size of the store volume, GiB; computed when absent", examples=[20]
    )
    cpus: Decimal = Field(2.0, gt=0, le=256, description="CPU cores the server may use")
    headroom_percent: Number = Field(
        25, ge=20, le=100, description="Memory kept free above the predicted peak, percent"
    )

    @property
    def memory_bytes(self) -> int | None:
        """The memory limit set by hand, bytes."""
        return self.memory_mib << 20 if self.memory_mib else None

    @property
    def disk_bytes(self) -> int | None:
        """The volume size set by hand, bytes."""
        return self.disk_gib << 30 if self.disk_gib else None


class Api(Section):
    """What the API refuses, so that it stays within its memory."""

    key: ClassVar[str] = "api"

    replicas: Number | None = Field(
        None, ge=1, le=16, description="How many, with client-server (2 when absent); single-node is one", examples=[2]
    )
    cpus: Decimal = Field(2.0, gt=0, le=256, description="CPU cores each replica may use, with client-server")
    max_body_mib: Number = Field(
        16, ge=1, le=1_024, description="Largest request body, MiB; streaming uploads are exempt"
    )
    max_k: Number = Field(1_000, ge=1, le=10_000, description="Most results of one query")
    max_concurrent_requests: Number = Field(
        16, ge=2, le=1_000, description="Requests served at once by each; the others wait in the gateway"
    )


class Health(Section):
    """Thresholds of the guard in the container."""

    key: ClassVar[str] = "health"

    memory_percent: Number = Field(
        85, ge=10, le=99, description="Memory use that turns the check red, percent of the limit"
    )
    disk_percent: Number = Field(
        80, ge=10, le=99, description="Disk use that turns the check red, percent of filesystem or planned size"
    )
    memory_recycle_percent: Number = Field(
        93, ge=11, le=99, description="Memory use at which the server is restarted in order, percent of the limit"
    )
    disk_stop_percent: Number = Field(
        95, ge=11, le=99, description="Fill of the filesystem from which nothing is written any more, percent"
    )
    on_memory_short: MemoryShort = Field(
        MemoryShort.REFUSE, description="What to do when the stored data will not fit into the memory limit"
    )
    wedged_after_s: Number = Field(
        90, ge=10, le=3_600, description="Seconds without a working canary after which the server is restarted"
    )
    crashes: Number = Field(
        5, ge=1, le=1_000, description="Crashes within crash_window_s after which the store is kept closed for as long"
    )
    crash_window_s: Number = Field(600, ge=60, le=86_400, description="Seconds in which crashes are counted")
    port: Number | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Host port, on access.address, of metrics and the guard's endpoints; unpublished when absent",
        examples=[9090],
    )
    interval_s: Number = Field(10, ge=1, le=300, description="Seconds between two checks")
    timeout_s: Number = Field(5, ge=1, le=60, description="Seconds a check may take")
    retries: Number = Field(
        3, ge=1, le=20, description="Failed checks in a row before the container counts as unhealthy"
    )
    canary_interval_s: Number = Field(60, ge=10, le=3_600, description="Seconds between two canary writes")


class Maintenance(Section):
    """Planned restarts, what is done within them, and the reading of everything that is stored."""

    key: ClassVar[str] = "maintenance"

    window: str = Field(
        "sun 03:00 120m",
        pattern=r"^(never|(daily|mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-3]):[0-5][0-9] [1-9][0-9]{0,3}m)$",
        description="When the server is restarted, at a random moment: day, time (UTC), length; or never",
        examples=["sun 03:00 120m"],
    )
    limit_minutes: Number = Field(30, ge=1, le=1_440, description="Longest time for compaction within a window")
    compact_percent: Number = Field(
        30, ge=1, le=100, description="Superseded share of the log from which it is compacted, percent"
    )
    renew_percent: Number = Field(
        50, ge=1, le=100, description="Share of deleted entries in an index from which it is built anew, percent"
    )
    scrub_interval_hours: Number = Field(
        24, ge=0, le=8_760, description="Hours between two readings of everything that is stored; 0 for never"
    )
    scrub_mb_per_s: Number = Field(20, ge=1, le=10_000, description="Megabytes a second that such a reading may take")


class Image(Section):
    """How the API image is built."""

    key: ClassVar[str] = "image"

    precision: Precision = Field(Precision.INT8, description="Number format of the local model's weights")


class Registry(Section):
    """A registry that images are pushed to and pulled from. Not needed on a single Docker host."""

    key: ClassVar[str] = "registry"

    address: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?$",
        description="Host and port, without scheme or path",
        examples=["registry.example.com"],
    )
    prefix: str = Field(
        "",
        pattern=r"^$|^[a-z0-9]+([._/-][a-z0-9]+)*$",
        description="Path in front of the image names, lower case",
        examples=["team/cortex"],
    )
    username: str | None = Field(None, min_length=1, description="User to log in as", examples=["ci"])
    password: SecretStr | None = Field(
        None, min_length=1, description="Password or access token; set it with --secret", examples=["(a secret)"]
    )


class Settings(BaseModel):
    """All settings of one stack."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: Platform = Field(Platform.DOCKER, description="Where the stack runs")
    topology: Topology = Field(Topology.SINGLE_NODE, description="How it is laid out")
    corpus: Corpus = Field(default_factory=Corpus, description="What will be stored: the sizing inputs")
    limits: Limits = Field(default_factory=Limits, description="Resources set by hand")
    access: Access = Field(default_factory=Access, description="Where the stack answers")
    api: Api = Field(default_factory=Api, description="Request limits of the API")
    health: Health = Field(default_factory=Health, description="Thresholds of the guard")
    maintenance: Maintenance = Field(default_factory=Maintenance, description="Planned restarts, compaction, scrub")
    image: Image = Field(default_factory=Image, description="How the API image is built")
    tokens: dict[TokenName, Token] = Field(
        {"admin": Token(role=Role.ADMIN)}, description="The access tokens the program makes, by name", min_length=1
    )
    tls: Tls = Field(default_factory=Tls, description="The gateway's certificate")
    gateway: Gateway = Field(default_factory=Gateway, description="What the gateway allows, and how long callers wait")
    backup: Backup = Field(default_factory=Backup, description="Where backups go, when, and how long they are kept")
    restore: Restore | None = Field(None, description="A backup that an empty stack begins with")
    registry: Registry | None = Field(None, description="Registry for images; not needed on a single Docker host")
    store_host: StoreHost | None = Field(
        None, description="Another Docker host for Chroma and its store, with client-server; needs a registry"
    )

    @property
    def published_ports(self) -> dict[str, int]:
        """Host ports that are published on `access.address`, by the setting each comes from."""
        ports = {
            "access.port": self.access.port,
            "access.plain_port": self.access.plain_port,
            "health.port": self.health.port,
        }
        return {setting: port for setting, port in ports.items() if port is not None}

    @property
    def far_ports(self) -> dict[str, int]:
        """Ports that are published on the store's own host, by the setting each comes from."""
        return {"store_host.port": self.store_host.port} if self.store_host else {}
