"""What requests and answers look like, with examples: the source of /docs."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

_MAX_ID_CHARS = 512
_MAX_METADATA_KEYS = 64
_INT64 = 1 << 63
MAX_OFFSET = 1_000_000_000
_CHROMA_PREFIXES = ("chroma:", "hnsw:")
_RESERVED_PREFIXES = ("cortex:", *_CHROMA_PREFIXES)
_RESERVED = " or ".join(_RESERVED_PREFIXES)
NAME_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]$"


def _encodable(text: str) -> str:
    """JSON can hold half of a surrogate pair (U+D800 alone), which is no character and cannot be stored."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start} is half of a surrogate pair, which is no text") from None
    return text


def _is_scalar(value: object) -> bool:
    if isinstance(value, str):
        return bool(_encodable(value)) or not value
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return isinstance(value, float) and math.isfinite(value)


def _is_list(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(_is_scalar(item) for item in value)
        and len({type(item) for item in value}) == 1
    )


def _checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(metadata) > _MAX_METADATA_KEYS:
        raise ValueError(f"has {len(metadata)} keys, at most {_MAX_METADATA_KEYS} are possible")
    for key, value in metadata.items():
        _encodable(key)
        if not key or key.startswith(_RESERVED_PREFIXES):
            raise ValueError(f"key {key!r} is reserved; no key may be empty or start with {_RESERVED}")
        if value is not None and not _is_scalar(value) and not _is_list(value):
            raise ValueError(
                f"key {key!r} must be a string, a finite number, a boolean, null, or a list of one of these kinds"
            )
    return metadata


MetadataField = Annotated[dict[str, Any], AfterValidator(_checked_metadata)]
Text = Annotated[str, AfterValidator(_encodable)]
Id = Annotated[Text, Field(min_length=1, max_length=_MAX_ID_CHARS)]
Vector = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1)]
IncludeName = Literal["text", "metadata", "vector", "distance"]
Where = Annotated[dict[str, JsonValue] | None, Field(description="filter on metadata, as in Chroma")]
WhereDocument = Annotated[dict[str, JsonValue] | None, Field(description="filter on the text, as in Chroma")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CollectionCreate(_Request):
    """A collection to be made."""

    name: Annotated[
        str, Field(pattern=NAME_PATTERN, description="3 to 512 of a-z A-Z 0-9 . _ -, letter or digit at both ends")
    ]
    space: Literal["cosine", "l2", "ip"] = Field("cosine", description="distance; fixed for ever")
    embedding: Literal["model", "own"] | None = Field(
        None, description="`model`: the API embeds texts; `own`: you send vectors. Default: `model` if there is one"
    )
    dimensions: int | None = Field(None, ge=1, le=65_535, description="of own vectors; default CORTEX_DIMENSIONS")
    metadata: MetadataField = {}

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "notes", "space": "cosine"}]})


class ModelView(BaseModel):
    """The model that made a collection's vectors."""

    name: str = Field(examples=["all-MiniLM-L6-v2"])
    precision: str = Field(examples=["int8"])
    sha256: str
    dimensions: int = Field(examples=[384])
    window_tokens: int = Field(examples=[256])


class CollectionView(BaseModel):
    """A collection."""

    id: str
    name: str = Field(examples=["notes"])
    space: str = Field(examples=["cosine"])
    embedding: Literal["model", "own"]
    dimensions: int | None = Field(examples=[384])
    model: ModelView | None
    usable: bool = Field(description="false: it was made with another model than this API runs; see docs/api.md")
    metadata: dict[str, Any]


class CollectionPage(BaseModel):
    """One page of collections."""

    collections: list[CollectionView]
    total: int
    limit: int
    offset: int


class Document(_Request):
    """A record to write: a text, or a vector, or both (the vector then counts)."""

    id: Id
    text: Text | None = None
    vector: Vector | None = None
    metadata: MetadataField | None = None


class Upsert(_Request):
    """Records to write."""

    documents: Annotated[list[Document], Field(min_length=1)]
    on_overlong: Literal["window", "reject"] = Field(
        "window",
        description="a text longer than the model's window: `window` embeds its beginning and names it in `truncated`, "
        "`reject` refuses the whole request before anything is written",
    )

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"documents": [{"id": "a", "text": "The quick brown fox", "metadata": {"lang": "en"}}]}]
        },
    )


class UpsertAnswer(BaseModel):
    """What was written."""

    upserted: int = Field(examples=[1])
    truncated: list[str] = Field(description="ids of texts longer than the model's window", examples=[[]])


class Get(_Request):
    """Which records to read."""

    ids: Annotated[list[Id], Field(min_length=1)] | None = None
    where: Where = None
    where_document: WhereDocument = None
    limit: int = Field(100, ge=1)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)
    include: list[IncludeName] = ["text", "metadata"]

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"where": {"lang": "en"}, "limit": 10}]})


class Delete(_Request):
    """Which records to remove: ids, or a filter, or both together."""

    ids: Annotated[list[Id], Field(min_length=1)] | None = None
    where: Where = None
    where_document: WhereDocument = None

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": ["a", "b"]}]})


class RecordView(BaseModel):
    """A record; what was not asked for is absent."""

    id: str
    text: str | None = None
    metadata: dict[str, Any] | None = None
    vector: list[float] | None = None
    distance: float | None = None


class RecordPage(BaseModel):
    """One page of records, in order of insertion."""

    documents: list[RecordView]
    limit: int
    offset: int


class DeleteAnswer(BaseModel):
    """What was removed."""

    deleted: int = Field(examples=[2])


class CountAnswer(BaseModel):
    """How many records there are."""

    count: int = Field(examples=[42])


class Query(_Request):
    """A search: texts, or vectors."""

    texts: Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1)] | None = None
    vectors: Annotated[list[Vector], Field(min_length=1)] | None = None
    k: int = Field(10, ge=1)
    ids: Annotated[list[Id], Field(min_length=1)] | None = Field(None, description="search among these only")
    where: Where = None
    where_document: WhereDocument = None
    include: list[IncludeName] = ["text", "metadata", "distance"]
    on_overlong: Literal["window", "reject"] = "window"

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"texts": ["animals that jump"], "k": 3}]}
    )


class QueryResult(BaseModel):
    """The nearest records of one text or vector, nearest first."""

    matches: list[RecordView]


class QueryAnswer(BaseModel):
    """One result per text or vector, in their order."""

    results: list[QueryResult]
    truncated: list[int] = Field(description="indices of texts longer than the model's window", examples=[[]])
