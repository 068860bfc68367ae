"""The times of events: whole milliseconds, and later than the event that each follows."""

from datetime import timedelta

import pytest

from ingest import slots
from ingest.event_writer import TOMBSTONE_AHEAD_US, EventWriter, deletion_us
from schemas.times import us_of
from tests.ingest.histories import LIMITS, START, new_id
from tests.store.memory import memory_records

NOW_US = us_of(START) + 1000


@pytest.mark.parametrize(
    ("after_us", "received_us"),
    [
        (0, NOW_US),
        (NOW_US - 1000, NOW_US),
        (NOW_US - 999, NOW_US + 1),
        (NOW_US, NOW_US + 1000),
        (NOW_US + 10**9, NOW_US + 10**9 + 1000),  # by a server whose clock was ahead
    ],
)
def test_an_event_is_later_than_the_one_it_follows(after_us: int, received_us: int) -> None:
    writer = EventWriter(memory_records(), lambda: START + timedelta(microseconds=1999), LIMITS)
    assert writer.now_us() == NOW_US
    set_id = new_id()
    slot_id = slots.set_confirmed(set_id, 0)
    event = writer.event(set_id, slot_id, "set-confirmed", {}, after_us=after_us)
    assert event.received_us == received_us
    assert deletion_us(event) == received_us + TOMBSTONE_AHEAD_US
