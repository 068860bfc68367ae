"""An erasure while a batch run writes takes that user's rows only."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from ingest.erasure import erase_user
from pipelines.batch import stored_rows
from pipelines.batch.family import BatchResult
from pipelines.batch.job import train_batch
from schemas.errors import IncompleteRun
from store.results import Results
from tests.pipelines.made_families import fake, live
from tests.spark_session import emptied

FIRST, SECOND, GONE = (str(UUID(int=n)) for n in (1, 2, 3))
ROWS = [(FIRST, 1.0, 1), (SECOND, 2.0, 2), (GONE, 3.0, 3)]


@pytest.fixture(scope="module")
def database(spark, spark_config):
    with emptied(spark_config.cassandra) as connection:
        yield connection


def train_while(happens, spark_config, rows):
    """A run during whose recipe something else happens."""

    def learn():
        happens()
        return BatchResult(rows, {})

    family = fake(learn)  # of its own name: an erasure looks in a table for its family's runs
    return train_batch(family, spark_config), family.name


def test_run_goes_live_without_the_user_who_was_erased_meanwhile(database, spark_config):
    def erase():
        asyncio.run(erase_user(database, UUID(GONE), datetime.now(UTC)))

    report, name = train_while(erase, spark_config, ROWS)
    assert (report.status, report.counts["rows"], report.counts["erased"]) == ("done", 2, 1)
    assert live(database, name).run_id == report.run_id
    rank = Results(database).rank
    assert asyncio.run(rank(report.run_id, UUID(GONE))) is None
    assert asyncio.run(rank(report.run_id, UUID(SECOND))).position == 2


def test_missing_rows_of_anybody_else_still_end_the_run(database, spark_config, monkeypatch):
    append = stored_rows.append

    def lose_one(frame, keyspace, table):
        append(frame.where(f"user_id <> '{SECOND}'"), keyspace, table)

    monkeypatch.setattr(stored_rows, "append", lose_one)
    with pytest.raises(IncompleteRun, match="ranks holds 1 rows of this run, not 2"):
        train_while(
            lambda: asyncio.run(erase_user(database, UUID(GONE), datetime.now(UTC))),
            spark_config,
            ROWS,
        )
