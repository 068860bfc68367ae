"""Any history of retries, repeats, reordering, conflicts and cuts ends as a simple model says."""

import asyncio
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import Database
from store.memory import memory_records
from store.records import records_in
from tests.ingest.histories import LIMITS, NUMBERS, World

KINDS = ("put",) * 5 + ("complete",) * 3 + ("confirm", "correct", "correct", "drop", "sweep")
OPERATIONS = st.one_of(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, NUMBERS - 1),
        st.integers(0, 3),
        st.sampled_from((0, 0, *range(1, 25))),
    ),
    st.tuples(st.just("complete"), st.integers(0, NUMBERS), st.integers(0, 1), st.just(0)),
)
ERASURES = st.tuples(st.just("erase"), st.just(0), st.just(0), st.integers(0, 12))
HISTORIES = st.tuples(
    st.lists(OPERATIONS, max_size=16),
    st.lists(ERASURES, max_size=1),
    st.lists(OPERATIONS, max_size=4),
).map(lambda parts: [op if op[0] != "sweep" else ("sweep", 0, 0, 0) for p in parts for op in p])


@settings(
    max_examples=int(os.environ.get("MUVR_HISTORIES", "10000")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(HISTORIES)
def test_ten_thousand_histories_end_as_the_model_says(history: list) -> None:
    asyncio.run(World(memory_records()).run(history))


def test_histories_on_cassandra_end_as_the_model_says(database: Database) -> None:
    @settings(
        max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(HISTORIES)
    def run(history: list) -> None:
        runner.run(World(records_in(database, LIMITS)).run(history))

    with asyncio.Runner() as runner:
        run()
