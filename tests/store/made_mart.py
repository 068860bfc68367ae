"""A mart of a few rows."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from schemas.ids import uuid7
from schemas.mart import MART
from store.mart import Manifest, MartFolder, layout_digest

AS_OF = datetime(2026, 11, 21, 3, tzinfo=UTC)
ONE, TWO = (str(uuid7(n, bytes(10))) for n in (1, 2))  # versions are named like runs


def made(path: Path, version: str, rows: int) -> MartFolder:
    """A mart whose tables have rows of nulls."""
    folder = MartFolder(path)
    for name, table in MART.items():
        target = path / version / name
        target.mkdir(parents=True)
        columns = ", ".join(f'CAST(NULL AS {c.type}) AS "{c.name}"' for c in table.columns)
        with duckdb.connect(":memory:") as connection:
            text = f"COPY (SELECT {columns} FROM range({rows})) TO '{target}/part.parquet'"
            connection.execute(text)
    counts = dict.fromkeys(MART, rows)
    folder.publish(Manifest(version, AS_OF, AS_OF, layout_digest(), "k", counts, "d"))
    return folder
