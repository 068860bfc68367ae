"""Ids of clients: how far their time may lie from the server's clock."""

from uuid import UUID, uuid4

import pytest

from ingest.client_ids import check_client_id
from schemas.config import Limits
from schemas.errors import BadEvent, ClockSkew
from schemas.ids import MS_PER_DAY, uuid7

NOW_MS = 1_700_000_000_000
PAST_DAYS, FUTURE_DAYS = 30, 1
LIMITS = Limits(clock_past_days=PAST_DAYS, clock_future_days=FUTURE_DAYS)


def check(id_: UUID) -> None:
    check_client_id(id_, "set", NOW_MS, LIMITS)


@pytest.mark.parametrize(
    ("nearest_ms", "beyond_ms"),
    [(-PAST_DAYS * MS_PER_DAY, -1), (FUTURE_DAYS * MS_PER_DAY, 1)],
    ids=["past", "future"],
)
def test_ids_are_accepted_to_the_millisecond(nearest_ms: int, beyond_ms: int) -> None:
    check(uuid7(NOW_MS + nearest_ms, bytes(10)))
    wrong = uuid7(NOW_MS + nearest_ms + beyond_ms, bytes(10))
    with pytest.raises(ClockSkew) as refused:
        check(wrong)
    assert (refused.value.field, refused.value.value) == ("set", str(wrong))


def test_ids_without_a_time_are_refused() -> None:
    with pytest.raises(BadEvent, match="must be a UUIDv7") as refused:
        check(uuid4())
    assert refused.value.field == "set"
