"""Detects streams whose device clock was set back while recording.

Chunk numbers go on, but times repeat. Some phones do so when they change their time zone. Ordered
by time alone, the chunks before and after the change would be interleaved.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ingest.rows import end_ns_of
from schemas.times import NS_PER_S
from store.samples import ChunkMetadata

CLOCK_WENT_BACK = "clock-went-back"
MIN_CLOCK_STEP_NS = 60 * NS_PER_S  # smaller steps are corrections or drift
MAX_OVERLAP_NS = NS_PER_S  # where one part ends and the next begins, they may overlap by as much


def split_by_clock(chunks: Sequence[ChunkMetadata]) -> list[list[ChunkMetadata]]:
    """Split a stream's chunks where its clock was set back by more than a minute.

    A chunk that was sent again under another number does not split.

    Args:
        chunks: in the order of their numbers.

    >>> minutes = [0, 1, 2, 1, 2, 3]
    >>> times_ns = [m * MIN_CLOCK_STEP_NS for m in minutes]
    >>> chunks = [ChunkMetadata(k, b"", t, 50.0, k + 1) for k, t in enumerate(times_ns)]
    >>> [len(part) for part in split_by_clock(chunks)]
    [6]
    >>> times_ns = [2 * m * MIN_CLOCK_STEP_NS for m in minutes]
    >>> chunks = [ChunkMetadata(k, b"", t, 50.0, k + 1) for k, t in enumerate(times_ns)]
    >>> [len(part) for part in split_by_clock(chunks)]
    [3, 3]
    """
    parts: list[list[ChunkMetadata]] = [[]]
    seen: set[tuple[int, int]] = set()
    previous_ns = 0
    for chunk in chunks:
        repeated = (chunk.t0_ns, chunk.n) in seen
        seen.add((chunk.t0_ns, chunk.n))
        if not repeated and chunk.t0_ns < previous_ns - MIN_CLOCK_STEP_NS:
            parts.append([])
        parts[-1].append(chunk)
        previous_ns = chunk.t0_ns
    return parts


def are_interleaved(parts: Sequence[Sequence[ChunkMetadata]]) -> bool:
    """Whether chunks of different clocks are interleaved when ordered by time.

    If not, ordering by time is right: also for streams whose numbers do not follow time.
    """
    return overlap([[(chunk.t0_ns, end_ns_of(chunk)) for chunk in part] for part in parts])


def overlap(parts: Sequence[Sequence[tuple[int, int]]]) -> bool:
    """Whether two parts overlap by more than a second in all, however short their chunks.

    Args:
        parts: first and last nanosecond of the chunks of each.
    """
    timed = sorted((*span, k) for k, part in enumerate(parts) for span in part)
    shared_ns: Counter[frozenset[int]] = Counter()
    for before, after in pairwise(timed):
        if before[2] != after[2]:
            shared_ns[frozenset((before[2], after[2]))] += max(0, before[1] - after[0])
    return any(shared > MAX_OVERLAP_NS for shared in shared_ns.values())
