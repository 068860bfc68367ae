"""A sample whose own time is far too late deletes no others."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.signal.pieces import Piece, Recording
from models.signal.runs import runs
from models.signal.wrist import wrist_signals
from tests.models.streams import piece, quickening

HZ = 50
CHUNK_MS = np.arange(HZ, dtype=np.int32) * 20


def timed(chunks: int) -> list[Piece]:
    """Chunks of a second, each sample with its own time."""
    return [
        piece(n + CHUNK_MS / 1e3, t0_ns=n * 10**9, values=quickening, t_ms=CHUNK_MS.copy())
        for n in range(chunks)
    ]


def kept(pieces: list[Piece]) -> int:
    return sum(len(run.t_s) for run in runs("acc", pieces))


def test_one_late_time_loses_one_sample() -> None:
    sent = timed(50)
    sent[10].t_ms[-1] = 30_000
    assert kept(sent) == 50 * HZ - 1
    (signal,) = wrist_signals(Recording(tuple(sent), (), "left"))
    assert signal.duration_s == pytest.approx(50, abs=0.05)


def test_one_late_time_in_every_chunk_loses_these_samples() -> None:
    sent = timed(50)
    for one in sent:
        one.t_ms[-1] = 30_000
    assert kept(sent[:-1]) >= 49 * (HZ - 1)


@given(
    st.lists(
        st.tuples(st.integers(0, 38), st.integers(1, HZ), st.integers(0, 10**6)),
        min_size=1,
        max_size=3,
        unique_by=lambda late: late[0],
    )
)
def test_late_times_delete_no_more_than_as_many_samples_and_a_second_each(
    late: list[tuple[int, int, int]],
) -> None:
    sent = timed(40)
    for chunk, n, by_ms in late:
        sent[chunk].t_ms[-n:] += by_ms
    most = sum(2 * n + HZ for _, n, _ in late)
    assert kept(sent) >= 40 * HZ - most


def test_clock_that_was_set_back_keeps_the_samples_before() -> None:
    sent = timed(20)
    back = [*sent[:10], *(replace(one, t0_ns=one.t0_ns - 3 * 10**9) for one in sent[10:])]
    assert kept(back) == 17 * HZ


def test_samples_that_were_sent_twice_in_chunks_of_any_length_count_once() -> None:
    whole_ms = np.arange(40 * HZ, dtype=np.int32) * 20
    whole = piece(whole_ms / 1e3, values=quickening, t_ms=whole_ms)
    again = [
        replace(
            whole, t0_ns=n * 10**9, counts=whole.counts[n * HZ : end], t_ms=whole_ms[: end - n * HZ]
        )
        for n, end in ((5, 900), (9, 2000), (30, 1800))
    ]
    (run,) = runs("acc", [whole, *again])
    assert len(run.t_s) == 40 * HZ
    assert np.array_equal(run.values, (*runs("acc", [whole]),)[0].values)
