"""A stream whose clock was set back on the way: its numbers go on, its times come a second time.

A phone does that when it changes its time zone badly. By their times alone the chunks of both
halves lie among one another.
"""

from collections.abc import Sequence
from itertools import pairwise

from ingest.rows import end_ns_of
from schemas.times import NS_PER_S
from store.samples import ChunkHead

CLOCK_BACK = "clock-went-back"
BACK_NS = 60 * NS_PER_S  # by less a clock is put right, or drifts
OVERLAP_NS = NS_PER_S  # by less chunks overlap that follow one another


def by_clock(heads: Sequence[ChunkHead]) -> list[list[ChunkHead]]:
    """The chunks of a stream, parted where its clock was set back by more than a minute.

    What is there a second time, under another number, parts nothing.

    Args:
        heads: in the order of their numbers.

    >>> minutes = [0, 1, 2, 1, 2, 3]
    >>> heads = [ChunkHead(k, b"", m * BACK_NS, 50.0, k + 1) for k, m in enumerate(minutes)]
    >>> [len(part) for part in by_clock(heads)]
    [6]
    >>> heads = [ChunkHead(k, b"", 2 * m * BACK_NS, 50.0, k + 1) for k, m in enumerate(minutes)]
    >>> [len(part) for part in by_clock(heads)]
    [3, 3]
    """
    parts: list[list[ChunkHead]] = [[]]
    there: set[tuple[int, int]] = set()
    before_ns = 0
    for head in heads:
        again = (head.t0_ns, head.n) in there
        there.add((head.t0_ns, head.n))
        if not again and head.t0_ns < before_ns - BACK_NS:
            parts.append([])
        parts[-1].append(head)
        before_ns = head.t0_ns
    return parts


def are_mixed(parts: Sequence[Sequence[ChunkHead]]) -> bool:
    """Whether chunks of one clock lie among those of another, by their times.

    Halves that do not, and streams that are numbered in another order than that of time, are in
    order when they stand by their times.
    """
    timed = [(head.t0_ns, end_ns_of(head), k) for k, part in enumerate(parts) for head in part]
    return any(
        before[2] != after[2] and before[1] - after[0] > OVERLAP_NS
        for before, after in pairwise(sorted(timed))
    )
