"""How long a live session buffers its samples before they are evaluated."""

from collections.abc import Iterable

import numpy as np
import pytest

from api.sample_buffer import MAX_SAMPLES, SampleBuffer
from ingest.wrist_streams import WristStreams
from models.signal.pieces import Piece

RATE_HZ = 50.0
BEGAN_S = 1_700_000_000
SECOND = np.zeros((50, 3), dtype=np.int16)
WRIST = WristStreams(("acc",), (), "left")
BOTH = WristStreams(("acc",), ("gyro",), "left")


def second(number: int) -> Piece:
    """One second of samples."""
    return Piece((BEGAN_S + number) * 10**9, RATE_HZ, "g", 0.001, SECOND)


def hear(kept: SampleBuffer, seconds: Iterable[int]) -> None:
    """Add these seconds, one at a time."""
    for number in seconds:
        kept.add("acc", number, second(number))


def buffered(kept: SampleBuffer) -> range:
    """The seconds in the buffer."""
    first, *_, last = (piece.t0_ns // 10**9 - BEGAN_S for piece in kept.recording().acc)
    return range(first, last + 1)


def test_the_buffer_keeps_the_newest_seconds():
    kept = SampleBuffer(WRIST, 8, 1)
    hear(kept, range(100))
    assert buffered(kept) == range(91, 100)  # eight, and the one that ends where they begin


def test_unevaluated_samples_are_kept_until_the_next_evaluation():
    kept = SampleBuffer(WRIST, 20, 5, keep_unevaluated=True)
    hear(kept, range(100))
    assert buffered(kept) == range(100)  # not evaluated yet
    hear(kept, range(100, 150))
    assert buffered(kept) == range(79, 150)  # the window before the last evaluation, and all since


def test_samples_of_a_set_under_way_are_held_up_to_the_limits():
    kept = SampleBuffer(WRIST, 20, 5, keep_unevaluated=True)
    hear(kept, range(100))
    kept.recording()
    kept.hold_from(second(50).t0_ns)
    hear(kept, range(100, 150))
    assert buffered(kept) == range(49, 150)
    hear(kept, range(150, 1300))
    assert buffered(kept).start == 1300 - MAX_SAMPLES // 50
    kept.hold_from(None)
    hear(kept, range(1300, 1301))
    assert buffered(kept) == range(1279, 1301)


def test_the_buffer_drops_samples_older_than_an_hour():
    kept = SampleBuffer(WRIST, 20, 5, keep_unevaluated=True)
    hear(kept, range(0, 4000, 5))
    assert buffered(kept).start == 400
    long = np.zeros((8192, 3), dtype=np.int16)
    kept.add("acc", 4000, Piece(second(4000).t0_ns, 1.0, "g", 0.001, long))
    assert kept.recording().acc == ()


def test_the_buffer_drops_the_oldest_of_too_many_samples():
    kept = SampleBuffer(WRIST, 150, 5, keep_unevaluated=True)
    counts = np.zeros((MAX_SAMPLES // 6, 3), dtype=np.int16)
    starts_ns = [second(0).t0_ns + 10 * n * 10**9 for n in range(8)]  # 1000 Hz, ten seconds each
    for seq, t0_ns in enumerate(starts_ns):
        kept.add("acc", seq, Piece(t0_ns, 1000.0, "g", 0.001, counts))
    assert [piece.t0_ns for piece in kept.recording().acc] == starts_ns[2:]


def test_samples_are_complete_up_to_the_slower_sensor():
    kept = SampleBuffer(BOTH, 20, 5)
    hear(kept, range(5))
    assert kept.complete_until_ns() == 0
    assert not kept.add("other", 0, second(0)), "no stream of this wrist"
    for number in range(2):
        kept.add("gyro", number, second(number))
    with kept.storing("other", second(1)):
        assert kept.complete_until_ns() == second(2).t0_ns
    assert (len(kept.recording().acc), len(kept.recording().gyro)) == (5, 2)


def test_chunks_that_arrive_out_of_order_are_sorted():
    kept = SampleBuffer(WRIST, 20, 5)
    for number in (2, 0, 3, 1):
        kept.add("acc", number, second(number))
    assert [piece.t0_ns for piece in kept.recording().acc] == [second(n).t0_ns for n in range(4)]


def test_evaluations_are_due_every_interval_of_new_samples():
    kept = SampleBuffer(WRIST, 20, 5)
    due: list[int] = []
    for number in range(17):
        if kept.add("acc", number, second(number)):
            due.append(number)
            kept.finish()
    assert due == [0, 5, 10, 15]


@pytest.mark.parametrize("keep_unevaluated", [False, True])
def test_an_evaluation_is_due_after_enough_new_samples_if_none_is_running(
    *, keep_unevaluated: bool
):
    kept = SampleBuffer(WRIST, 20, 5, keep_unevaluated=keep_unevaluated)
    assert kept.add("acc", 0, second(0))  # the first is always due
    assert not kept.add("acc", 60, second(60))  # one is running
    kept.finish()
    assert kept.try_start()
    kept.finish()
    assert not kept.try_start()


def test_samples_after_a_chunk_still_being_stored_are_not_complete():
    """Chunks are stored concurrently: a gap would end a set too early."""
    kept = SampleBuffer(WRIST, 20, 5)
    hear(kept, range(10))
    with kept.storing("acc", second(10)):
        hear(kept, range(11, 20))
        assert kept.complete_until_ns() == second(10).t0_ns
    kept.add("acc", 10, second(10))
    assert kept.complete_until_ns() == second(20).t0_ns
    assert len(buffered(kept)) == 20


def test_rotation_that_is_late_is_not_waited_for():
    """The newest chunk of acceleration does not count: that of rotation may be on its way."""
    kept = SampleBuffer(BOTH, 20, 5)
    hear(kept, range(5))
    assert kept.complete_until_ns() == 0
    kept.add("acc", 5, second(5))
    assert kept.complete_until_ns() == second(6).t0_ns
    kept.add("gyro", 5, second(5))
    hear(kept, range(6, 10))
    assert kept.complete_until_ns() == second(6).t0_ns  # it is back
    with kept.storing("gyro", second(10)):
        hear(kept, range(10, 14))
        assert kept.complete_until_ns() == second(6).t0_ns  # it is on its way
    hear(kept, range(14, 40))
    assert kept.complete_until_ns() == second(40).t0_ns
    assert kept.recording().gyro == (), "from before the first acceleration that is kept"


@pytest.mark.parametrize("silent", ["acc", "gyro"])
def test_chunks_of_ten_seconds_wait_for_their_rotation_and_acceleration_always(silent: str):
    kept = SampleBuffer(BOTH, 8, 1)
    counts = np.zeros((500, 3), dtype=np.int16)
    due: list[bool] = []
    for seq in range(5):
        piece = Piece(second(10 * seq).t0_ns, RATE_HZ, "g", 0.001, counts)
        due += [kept.add(name, seq, piece) for name in ("acc", "gyro") if name != silent]
        kept.finish()
    assert due == [False, *[silent == "gyro"] * 4]


def test_streams_of_one_sensor_are_buffered_in_turn():
    """An app that was restarted goes on under another name; one that sends both sends too much."""
    kept = SampleBuffer(WristStreams(("rec1", "rec2"), (), "left"), 8, 1)
    for number in range(20):
        kept.add("rec1", number, second(number))
    for number in range(20):
        kept.add("rec2", number, second(20 + number))
    assert kept.complete_until_ns() == second(40).t0_ns
    assert buffered(kept) == range(31, 40)
    for number in range(20, 40):
        kept.add("rec1", number, second(number))
    assert buffered(kept) == range(31, 40), "each second once"
    assert len(kept.recording().acc) == 9


def test_a_chunk_that_is_sent_late_is_not_among_the_last_seconds():
    kept = SampleBuffer(WRIST, 8, 1)
    hear(kept, [*range(20), *range(21, 40)])
    kept.add("acc", 20, second(20))
    assert buffered(kept) == range(31, 40)


@pytest.mark.parametrize("back_s", [61, 62])
def test_a_clock_that_is_set_back_starts_the_buffer_anew(back_s: int):
    """Else nothing would be due before the new clock reaches the old one."""
    kept = SampleBuffer(BOTH, 20, 5, keep_unevaluated=True)
    for number in range(100):
        kept.add("acc", number, second(number))
        kept.add("gyro", number, second(number))
        kept.finish()
    kept.recording()
    due: list[int] = []
    for seq in range(100, 120):
        for name in ("acc", "gyro"):
            if kept.add(name, seq, second(seq - back_s)):
                due.append(seq)
                kept.finish()
    assert (kept.clock_resets > 0) == bool(due) == (back_s > 61)
    assert not due or buffered(kept) == range(100 - back_s, 120 - back_s)


def test_streams_that_are_declared_later_are_buffered_from_then_on():
    kept = SampleBuffer(WRIST, 20, 5)
    assert not kept.add("gyro", 0, second(0))
    kept.use(BOTH)
    for number in range(10):
        kept.add("acc", number, second(number))
        kept.add("gyro", number, second(number))
    assert (len(kept.recording().acc), len(kept.recording().gyro)) == (10, 10)
    kept.use(WristStreams(("other",), (), "right"))
    assert (kept.recording().acc, kept.recording().side) == ((), "right")
