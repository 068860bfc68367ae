"""Ids of clients: how far their time may lie from the server's clock."""

from datetime import date
from uuid import RFC_4122, UUID, uuid4

import pytest

from schemas.errors import BadEvent, ClockSkew
from schemas.ids import MS_PER_DAY, check_client_id, day_of, uuid7

NOW_MS = 1_700_000_000_000
PAST_DAYS, FUTURE_DAYS = 400, 1


def check(id_: UUID) -> None:
    check_client_id(id_, "set", NOW_MS, PAST_DAYS, FUTURE_DAYS)


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


@pytest.mark.parametrize("entropy", [bytes(10), b"\xff" * 10], ids=["zeros", "ones"])
def test_uuid7_carries_its_time_version_and_entropy(entropy: bytes) -> None:
    id_ = uuid7(20_000 * MS_PER_DAY - 1, entropy)
    assert (id_.version, id_.variant) == (7, RFC_4122)
    assert day_of(id_) == date(2024, 10, 3)  # the day 20,000 begins a millisecond later
    lowest = (1 << 62) - 1
    assert id_.int & lowest == int.from_bytes(entropy, "big") & lowest
