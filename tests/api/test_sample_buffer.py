"""How long a live session buffers its samples before they are evaluated."""

import numpy as np
import pytest

from api.sample_buffer import MAX_SAMPLES, SampleBuffer
from ingest.recordings import WristStreams
from models.signal.pieces import Piece

RATE_HZ = 50.0
BEGAN_S = 1_700_000_000
SECOND = np.zeros((50, 3), dtype=np.int16)
WRIST = WristStreams("acc", None, "left")


def second(number: int) -> Piece:
    """One second of samples."""
    return Piece((BEGAN_S + number) * 10**9, RATE_HZ, "g", 0.001, SECOND)


def hear(kept: SampleBuffer, seconds: range) -> None:
    """Add these seconds, one at a time."""
    for number in seconds:
        kept.add("acc", second(number))


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


def test_the_buffer_drops_samples_older_than_an_hour():
    kept = SampleBuffer(WRIST, 20, 5, keep_unevaluated=True)
    hear(kept, range(0, 4000, 5))
    assert buffered(kept).start == 400
    kept.add("acc", Piece(second(4000).t0_ns, 1.0, "g", 0.001, np.zeros((8192, 3), dtype=np.int16)))
    assert kept.recording().acc == ()


def test_the_buffer_drops_the_oldest_of_too_many_samples():
    kept = SampleBuffer(WRIST, 150, 5, keep_unevaluated=True)
    counts = np.zeros((MAX_SAMPLES // 6, 3), dtype=np.int16)
    starts_ns = [second(0).t0_ns + 10 * n * 10**9 for n in range(8)]  # 1000 Hz, ten seconds each
    for t0_ns in starts_ns:
        kept.add("acc", Piece(t0_ns, 1000.0, "g", 0.001, counts))
    assert [piece.t0_ns for piece in kept.recording().acc] == starts_ns[2:]


def test_samples_are_complete_up_to_the_slower_sensor():
    kept = SampleBuffer(WristStreams("acc", "gyro", "left"), 20, 5)
    hear(kept, range(10))
    assert kept.complete_until_ns() == 0
    assert not kept.add("other", second(0)), "no stream of this wrist"
    for number in range(4):
        kept.add("gyro", second(number))
    with kept.storing("other", second(1)):
        assert kept.complete_until_ns() == second(4).t0_ns
    assert (len(kept.recording().acc), len(kept.recording().gyro)) == (10, 4)


def test_chunks_that_arrive_out_of_order_are_sorted():
    kept = SampleBuffer(WRIST, 20, 5)
    for number in (2, 0, 3, 1):
        kept.add("acc", second(number))
    assert [piece.t0_ns for piece in kept.recording().acc] == [second(n).t0_ns for n in range(4)]


def test_evaluations_are_due_every_interval_of_new_samples():
    kept = SampleBuffer(WRIST, 20, 5)
    due: list[int] = []
    for number in range(17):
        if kept.add("acc", second(number)):
            due.append(number)
            kept.finish()
    assert due == [0, 5, 10, 15]


@pytest.mark.parametrize("keep_unevaluated", [False, True])
def test_an_evaluation_is_due_after_enough_new_samples_if_none_is_running(
    *, keep_unevaluated: bool
):
    kept = SampleBuffer(WRIST, 20, 5, keep_unevaluated=keep_unevaluated)
    assert kept.add("acc", second(0))  # the first is always due
    assert not kept.add("acc", second(60))  # one is running
    kept.finish()
    assert kept.start_if_due()
    kept.finish()
    assert not kept.start_if_due()


def test_samples_after_a_chunk_still_being_stored_are_not_complete():
    """Chunks are stored concurrently: a gap would end a set too early."""
    kept = SampleBuffer(WRIST, 20, 5)
    hear(kept, range(10))
    with kept.storing("acc", second(10)):
        hear(kept, range(11, 20))
        assert kept.complete_until_ns() == second(10).t0_ns
    kept.add("acc", second(10))
    assert kept.complete_until_ns() == second(20).t0_ns
    assert len(buffered(kept)) == 20
