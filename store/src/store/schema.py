"""Which tables Chroma 1.5.9 makes, and whether a database has exactly these."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Set

from store.errors import NotAStore, UnknownSchema

CHROMA_VERSION = "1.5.9"

_Migration = tuple[str, int, str]
"""Directory, version, and digest of the SQL."""

# Read from the `migrations` table of a store made by chromadb 1.5.9; tests/unit/store compares it with a new one.
# The digest is the MD5 of the migration's SQL, as Chroma records it by default.
MIGRATIONS: frozenset[_Migration] = frozenset(
    {
        ("embeddings_queue", 1, "d3755dfd232be8e8301f4d7fcfb3a486"),
        ("embeddings_queue", 2, "8fbfe4ffb3e57f1d8bfdc58510a82e85"),
        ("metadb", 1, "2b4cf52c4bb2676e21d6860a4409f856"),
        ("metadb", 2, "12a570f7121b3a8ce750a2a7c36da20f"),
        ("metadb", 3, "f97ad6334aeaa8f419f01110b648b97a"),
        ("metadb", 4, "fb36603a45ee2cd0254cef3ef86585e8"),
        ("metadb", 5, "0e9de46758761b373ce682925edcc326"),
        ("metadb", 6, "e026f01ea92c1baa1493f4ad5ca7cfe7"),
        ("sysdb", 1, "38352d725ad1c16074fac420b22b4633"),
        ("sysdb", 2, "2913cb6a503055a95f625448037e8912"),
        ("sysdb", 3, "42d22d0574d31d419c2a0e7f625c93aa"),
        ("sysdb", 4, "048867ce8fcdefe4023c7110e4433591"),
        ("sysdb", 5, "b1367c826b8fba5f96f27befdc1d42d2"),
        ("sysdb", 6, "4eea7468935bf25d4604a0fed2366116"),
        ("sysdb", 7, "1c7e63bba346a42a18b6ab7f1c989bed"),
        ("sysdb", 8, "0a0e7e93111a01789addf64961c6127c"),
        ("sysdb", 9, "054355aef9e63702bf54ea29e61563f1"),
        ("sysdb", 10, "5c3a5ac4b79df76799b4721827ed5e1d"),
    }
)

TABLES = frozenset(
    {
        "collections",
        "embeddings",
        "embeddings_queue",
        "embeddings_queue_config",
        "maintenance_log",
        "max_seq_id",
        "segments",
    }
)
"""The tables this package reads or writes. Others (`_litestream_seq`, say) may be there too."""


def check(database: sqlite3.Connection) -> None:
    """Raise unless the database has the schema of Chroma 1.5.9.

    Raises:
        NotAStore: there is no record of Chroma's migrations at all.
        UnknownSchema: the record differs from 1.5.9, or a table is missing.
    """
    names = {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "migrations" not in names:
        raise NotAStore(
            "chroma.sqlite3 is an SQLite database, but not one of Chroma: it has no table `migrations`. "
            "Point the store's path to a directory that Chroma made, or to an empty one."
        )
    found = {
        (str(directory), int(version), _digest(str(sql)))
        for directory, version, sql in database.execute("SELECT dir, version, sql FROM migrations")
    }
    missing, extra = MIGRATIONS - found, found - MIGRATIONS
    if missing or extra:
        raise UnknownSchema(_difference(missing, extra))
    if absent := TABLES - names:
        raise UnknownSchema(
            f"chroma.sqlite3 lacks the tables {', '.join(sorted(absent))}, which its own record of migrations says "
            "were made. Restore the store from a backup."
        )


def _digest(sql: str) -> str:
    """Chroma's own column may hold SHA-256 instead (`hash_type`), so it is computed from the text."""
    return hashlib.md5(sql.encode(), usedforsecurity=False).hexdigest()


def _difference(missing: Set[_Migration], extra: Set[_Migration]) -> str:
    """Say how the schema differs, and in which direction."""

    def name(rows: Set[_Migration]) -> str:
        return ", ".join(f"{directory} {version}" for directory, version, _ in sorted(rows))

    known = {(directory, version) for directory, version, _ in MIGRATIONS}
    changed = {row for row in extra if row[:2] in known}
    newer = extra - changed
    if newer:
        return (
            f"a newer Chroma than {CHROMA_VERSION} made this store (migrations {name(newer)}). Chroma does not support "
            f"downgrades: use the release of this package for that version, or a backup made with {CHROMA_VERSION}."
        )
    if changed:
        return (
            f"the migrations {name(changed)} of this store are not those of Chroma {CHROMA_VERSION}: it was made by a "
            "changed Chroma, or something edited it. Restore it from a backup, or export its collections with the "
            "Chroma that made it."
        )
    return (
        f"an older Chroma than {CHROMA_VERSION} made this store (it lacks the migrations {name(missing)}). Back it up, "
        f"then open it once with Chroma {CHROMA_VERSION}, which migrates it."
    )
