"""Ids of clients: how far their time may lie from the server's clock."""

from uuid import UUID, uuid4

import pytest

from ingest.client_ids import TOLERATED_MS, check_client_id
from schemas.config import Limits
from schemas.errors import BadEvent, ClockSkew
from schemas.ids import MS_PER_DAY, uuid7

NOW_MS = 1_700_000_000_000
PAST_DAYS, FUTURE_DAYS = 30, 1


def check(id_: UUID, future_days: int = FUTURE_DAYS) -> None:
    limits = Limits(clock_past_days=PAST_DAYS, clock_future_days=future_days)
    check_client_id(id_, "set", NOW_MS, limits)


@pytest.mark.parametrize(
    ("nearest_ms", "beyond_ms", "future_days"),
    [
        (-PAST_DAYS * MS_PER_DAY, -1, FUTURE_DAYS),
        (FUTURE_DAYS * MS_PER_DAY, 1, FUTURE_DAYS),
        (TOLERATED_MS, 1, 0),
    ],
    ids=["past", "future", "no day of the future"],
)
def test_ids_are_accepted_to_the_millisecond(nearest_ms: int, beyond_ms: int, future_days: int):
    check(uuid7(NOW_MS + nearest_ms, bytes(10)), future_days)
    wrong = uuid7(NOW_MS + nearest_ms + beyond_ms, bytes(10))
    with pytest.raises(ClockSkew) as refused:
        check(wrong, future_days)
    assert (refused.value.field, refused.value.value) == ("set", str(wrong))


def test_ids_without_a_time_are_refused() -> None:
    with pytest.raises(BadEvent, match="must be a UUIDv7") as refused:
        check(uuid4())
    assert refused.value.field == "set"
