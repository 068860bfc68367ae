"""Any history of retries, repeats, reordering, conflicts and failures matches a simple model."""

import asyncio
import itertools
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import Database
from store.records import Records, records_in
from tests.ingest.histories import LIMITS, NUMBERS, HistoryRunner
from tests.store.memory import memory_records

KINDS = ("put",) * 5 + ("complete",) * 3 + ("confirm", "correct", "correct", "drop", "sweep")
CUTS = (0, 0, *range(1, 25))
# Every operation, repeated by its weight, the simplest first: one draw selects an operation, as
# a draw per field made Hypothesis the most expensive part of the test.
_ANY = [
    (kind, a, b, cut if kind != "sweep" else 0)
    for cut, kind, a, b in itertools.product(CUTS, KINDS, range(NUMBERS), range(4))
]
_LISTS = [("complete", length, b, 0) for length in range(NUMBERS + 1) for b in range(2)]
OPERATIONS = (*_ANY, *(_LISTS * (len(_ANY) // len(_LISTS))))  # half of them are lists
ERASURES = [*[None] * 13, *(("erase", 0, 0, cut) for cut in range(13))]
ONE = st.integers(0, len(OPERATIONS) - 1).map(OPERATIONS.__getitem__)
HISTORIES = st.tuples(
    st.lists(ONE, max_size=16), st.sampled_from(ERASURES), st.lists(ONE, max_size=4)
).map(lambda parts: [*parts[0], *([parts[1]] if parts[1] else []), *parts[2]])


def every_history_ends_as_the_model_says(how_many: int, records: Callable[[], Records]) -> None:
    @settings(
        max_examples=how_many, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(HISTORIES)
    def run(history: list) -> None:
        runner.run(HistoryRunner(records()).run(history))

    with asyncio.Runner() as runner:
        run()


@pytest.mark.timeout(3600)  # two to four minutes, several times as long on a busy machine
def test_random_histories_in_memory_match_the_model() -> None:
    how_many = int(os.environ.get("MUVR_HISTORIES", "10000"))
    every_history_ends_as_the_model_says(how_many, memory_records)


def test_random_histories_on_cassandra_match_the_model(database: Database) -> None:
    every_history_ends_as_the_model_says(12, lambda: records_in(database, LIMITS))
