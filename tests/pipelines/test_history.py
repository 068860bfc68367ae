"""Training and serving read the same log from the same sets."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.forecasts import log_from
from models.history import SetLog
from pipelines.lifecycle.log_partitions import split_failed
from pipelines.lifecycle.set_logs import COLUMNS, log_of
from schemas.errors import BadSets
from schemas.times import EARLIEST, LATEST
from store.sets import SetRow

AT_MS = st.integers(0, 2**41)
ROWS = st.lists(
    st.builds(
        lambda started, **row: SetRow(
            started_at=datetime.fromtimestamp(started / 1e3, UTC),
            ended_at=datetime.fromtimestamp(started / 1e3, UTC) + timedelta(seconds=30),
            label_source="typed",
            revision=1,
            **row,
        ),
        started=AT_MS,
        session_id=st.integers(0, 3).map(lambda n: UUID(int=n << 100)),
        set_id=st.uuids(),
        exercise=st.sampled_from(["squat", "bench press"]),
        reps=st.none() | st.integers(0, 10_000),
        weight_kg=st.none() | st.floats(0, 2_000),
        intensity=st.none() | st.floats(0, 1),
    ),
    max_size=12,
)
AS_SPARK_HANDS_OVER = pa.schema(
    {
        "user_id": pa.string(),
        "session_id": pa.string(),
        "exercise": pa.string(),
        "started_at": pa.timestamp("us", tz="UTC"),
        "reps": pa.int32(),
        "weight_kg": pa.float64(),
        "intensity": pa.float64(),
    }
)


@settings(deadline=None)
@given(ROWS)
def test_training_and_serving_read_the_same_log(rows: list[SetRow]) -> None:
    assert set(AS_SPARK_HANDS_OVER.names) == set(COLUMNS)
    spark = [{"user_id": "u", **row._asdict(), "session_id": str(row.session_id)} for row in rows]
    trained = log_of(pa.Table.from_pylist(spark, AS_SPARK_HANDS_OVER), LATEST)
    served = log_from(rows)
    for field in fields(SetLog):
        np.testing.assert_array_equal(getattr(trained, field.name), getattr(served, field.name))


def test_run_fails_if_no_user_can_be_read() -> None:
    """A release that cannot read any user must not withdraw the rows of the run before."""
    assert split_failed([]) == ([], {})
    good, bad = ({"user_id": name, "problem": why} for name, why in (("a", None), ("b", "no time")))
    assert split_failed([good, bad]) == ([good], {"b": "no time"})
    with pytest.raises(BadSets, match="none of 1 people can be read, as of one: no time"):
        split_failed([bad])


def test_incomplete_set_is_named_in_the_reason() -> None:
    """The reason is read by operators: it speaks of sets, not of Python."""
    half = dict.fromkeys(AS_SPARK_HANDS_OVER.names) | {"user_id": "u", "session_id": "of Monday"}
    table = pa.Table.from_pylist([half], schema=AS_SPARK_HANDS_OVER)
    with pytest.raises(BadSets, match="half a set in session of Monday"):
        log_of(table, LATEST)


def a_set(**values: object) -> dict[str, object]:
    """A row of `sets`; the given values replace its own."""
    row = {"user_id": "u", "session_id": "of Monday", "exercise": "squat", "started_at": LATEST}
    return row | {"reps": 8, "weight_kg": 60.0, "intensity": 0.7} | values


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reps", -1),
        ("reps", 10_001),
        ("weight_kg", -0.5),
        ("weight_kg", 2_000.5),
        ("weight_kg", np.inf),
        ("weight_kg", np.nan),
        ("intensity", -np.inf),
        ("intensity", 1.5),
        ("intensity", 1e200),
        ("intensity", np.nan),
        ("started_at", EARLIEST - timedelta(seconds=1)),
        ("started_at", LATEST + timedelta(seconds=1)),
    ],
)
def test_value_that_no_client_may_send_is_named_in_the_reason(column: str, value: object) -> None:
    rows = [a_set(), a_set(**{column: None} if column != "started_at" else {})]
    possible = pa.Table.from_pylist(rows, AS_SPARK_HANDS_OVER)
    assert len(log_of(possible, LATEST)) == 2
    with_other = pa.Table.from_pylist([*rows, a_set(**{column: value})], AS_SPARK_HANDS_OVER)
    with pytest.raises(BadSets, match=f"^{column} .* of a set in session of Monday is not"):
        log_of(with_other, LATEST)


def test_time_after_the_last_year_of_python_is_named_in_the_reason() -> None:
    table = pa.Table.from_pylist([a_set()], AS_SPARK_HANDS_OVER)
    times = pa.array([253_402_300_800_000_000], table.schema.field("started_at").type)
    table = table.set_column(table.schema.get_field_index("started_at"), "started_at", times)
    with pytest.raises(BadSets, match="^started_at 10000-01-01 .* is not a time from 1970-01-01"):
        log_of(table, LATEST)
