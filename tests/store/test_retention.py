"""Tables keep their rows as long as the constants say."""

from datetime import timedelta

from schemas.retention import (
    CHANGES_TTL,
    DEAD_LETTERS_TTL,
    LABELLED_TTL_S,
    RESULTS_TTL,
    WINDOWS_TTL_S,
)
from store.database import Database


def test_default_ttl_of_every_table_equals_its_constant(database: Database):
    rows = database.execute(
        "SELECT table_name, default_time_to_live FROM system_schema.tables "
        "WHERE keyspace_name = 'muvr_test'"
    )
    labelled = timedelta(seconds=LABELLED_TTL_S)
    assert {
        row.table_name: timedelta(seconds=row.default_time_to_live)
        for row in rows
        if row.default_time_to_live
    } == {
        "changes": CHANGES_TTL,
        "clusters": RESULTS_TTL,
        "recommendations": RESULTS_TTL,
        "ranks": RESULTS_TTL,
        "job_run_users": RESULTS_TTL,
        "dead_letters": DEAD_LETTERS_TTL,
        "labelled_sets": labelled,
        "labelled_stretches": labelled,
    }


def test_stored_windows_expire_before_their_set():
    assert WINDOWS_TTL_S < LABELLED_TTL_S
