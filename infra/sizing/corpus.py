"""What will be stored when the horizon is reached: the numbers that all formulas start from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infra import embedding_models
from infra.settings.models import Corpus

DAYS_PER_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class StoredCorpus:
    """A corpus at the end of its horizon. Counts are upper bounds.

    Attributes:
        vectors: Live records, all collections together.
        dimensions: Length of one vector.
        collections: Collections in use.
        document_bytes: Mean text of a record, bytes.
        metadata_bytes: Mean metadata of a record, bytes.
        batch_rows: Records of the largest write.
        log_rows: Rows of the durable log: every write stays in it.
    """

    vectors: int
    dimensions: int
    collections: int
    document_bytes: int
    metadata_bytes: int
    batch_rows: int
    log_rows: int


def at_horizon(corpus: Corpus) -> StoredCorpus:
    """Grow a corpus to the end of its horizon.

    Args:
        corpus: The sizing inputs. `dimensions` may be absent when the model is known by name.

    Returns:
        The corpus to size for. Growth compounds monthly; updates come on top of it in the log.
    """
    growth = (1 + corpus.growth_percent_per_month / 100) ** corpus.horizon_months
    vectors = math.ceil(corpus.vectors * growth)
    return StoredCorpus(
        vectors=vectors,
        dimensions=corpus.dimensions or embedding_models.KNOWN[corpus.model].dimensions,
        collections=corpus.collections,
        document_bytes=corpus.document_bytes,
        metadata_bytes=corpus.metadata_bytes,
        batch_rows=corpus.batch_rows,
        log_rows=vectors + math.ceil(corpus.updates_per_day * corpus.horizon_months * DAYS_PER_MONTH),
    )
