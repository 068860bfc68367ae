"""UUIDv7: the time, version and entropy that an id carries."""

from datetime import date
from uuid import RFC_4122

import pytest

from schemas.ids import MS_PER_DAY, day_of, uuid7


@pytest.mark.parametrize("entropy", [bytes(10), b"\xff" * 10], ids=["zeros", "ones"])
def test_uuid7_carries_its_time_version_and_entropy(entropy: bytes) -> None:
    id_ = uuid7(20_000 * MS_PER_DAY - 1, entropy)
    assert (id_.version, id_.variant) == (7, RFC_4122)
    assert day_of(id_) == date(2024, 10, 3)  # the day 20,000 begins a millisecond later
    lowest = (1 << 62) - 1
    assert id_.int & lowest == int.from_bytes(entropy, "big") & lowest
