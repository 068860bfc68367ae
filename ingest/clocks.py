"""Detects streams whose device clock was set back while recording.

Chunk numbers go on, but times repeat. Some phones do so when they change their time zone, others
when they synchronise. Ordered by time alone, the chunks before and after the change would be
interleaved.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ingest.sample_rows import end_ns_of
from schemas.times import NS_PER_S, SpanNs
from store.samples import ChunkMetadata

LARGE_STEP_NS = 60 * NS_PER_S  # back by more is another clock, whatever lies around it
MIN_CLOCK_STEP_NS = 3 * NS_PER_S // 2  # back by less is a correction, a delay or drift
MAX_RATE_ERROR = 0.15  # of a chunk's duration: so much sooner it may be over than its rate says
MAX_OVERLAP_NS = NS_PER_S  # where one part ends and the next begins, they may overlap by as much


def split_by_clock(chunks: Sequence[ChunkMetadata]) -> list[list[ChunkMetadata]]:
    """Split a stream's chunks where its clock was set back.

    By more than a minute: wherever times go back, but for a chunk that was sent again under another
    number. By less: where numbers follow time on both sides, and the chunks after the step are
    interleaved in time with those before it.

    Args:
        chunks: in the order of their numbers.

    >>> def split(*starts_s):
    ...     both = enumerate(starts_s)
    ...     chunks = [ChunkMetadata(k, bytes([k]), t * NS_PER_S, 50.0, 500 + k) for k, t in both]
    ...     return [len(part) for part in split_by_clock(chunks)]
    >>> split(0, 120, 240, 121, 241)
    [3, 2]
    >>> split(0, 10, 20, 30, 15, 25, 35)
    [4, 3]
    >>> split(0, 10, 30, 20, 40, 50)  # numbered in another order
    [6]
    """
    parts: list[list[ChunkMetadata]] = [[]]
    seen: set[tuple[int, int]] = set()
    previous_ns = 0
    for at, chunk in enumerate(chunks):
        repeated = (chunk.t0_ns, chunk.n) in seen
        seen.add((chunk.t0_ns, chunk.n))
        far_back = not repeated and chunk.t0_ns < previous_ns - LARGE_STEP_NS
        if far_back or _goes_back_once(chunks, at, at - len(parts[-1])):
            parts.append([])
        parts[-1].append(chunk)
        previous_ns = chunk.t0_ns
    return parts


def _goes_back_once(chunks: Sequence[ChunkMetadata], at: int, first: int) -> bool:
    """Whether a clock was set back by seconds before chunk `at`, and chunks of both overlap.

    The chunks of a device that is faster than it claims, or that sends each sample twice, go back
    one after another. Of a step without a neighbour on both sides nothing is known.

    Args:
        chunks: in the order of their numbers.
        at: number of the chunk.
        first: number of the first chunk of the clock before it.
    """
    if at < first + 2:
        return False
    around = chunks[at - 2 : at + 2]  # the last chunk has no neighbour: two steps, not three
    if [_goes_back(a, b) for a, b in pairwise(around)] != [False, True, False]:
        return False
    before, after = chunks[at - 1], chunks[at]
    start, end = at - 1, at + 1
    while (
        start > first
        and chunks[start - 1].t0_ns <= chunks[start].t0_ns
        and end_ns_of(chunks[start - 1]) > after.t0_ns
    ):
        start -= 1
    while end < len(chunks) and chunks[end - 1].t0_ns <= chunks[end].t0_ns < end_ns_of(before):
        end += 1
    resent = any(chunk.sha256 == after.sha256 for chunk in chunks[start:at])
    return not resent and are_interleaved([chunks[start:at], chunks[at:end]])


def _goes_back(before: ChunkMetadata, chunk: ChunkMetadata) -> bool:
    """Whether a chunk begins clearly before the end of the one before it."""
    end_ns = end_ns_of(before)
    allowed_ns = max(MIN_CLOCK_STEP_NS, MAX_RATE_ERROR * (end_ns - before.t0_ns))
    return end_ns - chunk.t0_ns > allowed_ns


def are_interleaved(parts: Sequence[Sequence[ChunkMetadata]]) -> bool:
    """Whether chunks of different clocks are interleaved when ordered by time.

    If not, ordering by time is right: also for streams whose numbers do not follow time.
    """
    return overlap([[(chunk.t0_ns, end_ns_of(chunk)) for chunk in part] for part in parts])


def overlap(parts: Sequence[Sequence[SpanNs]]) -> bool:
    """Whether two parts overlap by more than a second in all, however short their chunks.

    Args:
        parts: the spans of the chunks of each.
    """
    timed = sorted((*span, k) for k, part in enumerate(parts) for span in part)
    shared_ns: Counter[frozenset[int]] = Counter()
    for before, after in pairwise(timed):
        if before[2] != after[2]:
            shared_ns[frozenset((before[2], after[2]))] += max(0, before[1] - after[0])
    return any(shared > MAX_OVERLAP_NS for shared in shared_ns.values())
