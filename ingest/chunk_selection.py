"""Selects the chunks of a stream that count, and those that may hold samples of a span."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

from ingest.sample_rows import end_ns_of
from models.signal.wrist import MAX_RECORDING_S
from schemas.errors import AmbiguousChunks
from schemas.times import NS_PER_S, SpanNs
from store.samples import ChunkMetadata
from store.sessions import StreamList

StreamChunks = Mapping[str, Sequence[ChunkMetadata]]
"""Chunks by stream, each stream's ordered by number."""

MAX_PORTION_NS = 2 * 3600 * NS_PER_S
"""The longest span whose samples are loaded at once for several spans in it: a long workout. At
100 Hz its two sensors take 9 MB, while a session may last for weeks."""
MAX_SAMPLES_READ = 25_000_000
"""The samples of one sensor that are read at once, 150 MB: half of what a user may send in a day.
They last a day at 289 Hz, and longer than a set may at the highest rate that is taken. Chunks that
all begin at one time have a short span, however many there are."""
_FIRST_NS = -(1 << 63)  # of all times that a chunk can have


def counted_chunks(
    chunks: Iterable[ChunkMetadata], listed: StreamList | None
) -> list[ChunkMetadata]:
    """The chunks that count: the listed ones, or all if there is no list yet."""
    return [chunk for chunk in chunks if listed is None or is_listed(chunk, listed)]


def is_listed(chunk: ChunkMetadata, listed: StreamList) -> bool:
    """Whether a list names this body under its number."""
    return chunk.seq < len(listed.hashes) and listed.hashes[chunk.seq] == chunk.sha256


def first_day_chunks(chunks: StreamChunks) -> dict[str, list[ChunkMetadata]]:
    """The first chunks of a sensor's streams, up to `MAX_RECORDING_S` without the pauses between.

    A chunk ends where the next one begins, if that is before the end by its own rate.
    """
    in_order = [(name, chunk) for name, of_stream in chunks.items() for chunk in of_stream]
    kept: dict[str, list[ChunkMetadata]] = {name: [] for name in chunks}
    left_ns = MAX_RECORDING_S * 1e9
    for (name, chunk), after in itertools.zip_longest(in_order, in_order[1:]):
        if left_ns < 0:
            break
        kept[name].append(chunk)
        end_ns = end_ns_of(chunk) if after is None else min(end_ns_of(chunk), after[1].t0_ns)
        left_ns -= max(0, end_ns - chunk.t0_ns)
    return kept


def within_samples(chunks: StreamChunks) -> dict[str, list[ChunkMetadata]]:
    """The first chunks of a sensor's streams, up to `MAX_SAMPLES_READ`, whatever their times."""
    kept: dict[str, list[ChunkMetadata]] = {}
    left = MAX_SAMPLES_READ
    for name, of_stream in chunks.items():
        counts = itertools.accumulate(chunk.n for chunk in of_stream)
        kept[name] = [chunk for chunk, n in zip(of_stream, counts, strict=True) if n <= left]
        left -= sum(chunk.n for chunk in kept[name])
    return kept


def chunks_of_spans(
    chunks: Sequence[ChunkMetadata], spans: Sequence[SpanNs]
) -> list[list[ChunkMetadata]]:
    """The chunks that may hold samples of each span, in one pass.

    A chunk reaches to its end by its rate or sample times, or to the start of the next one if that
    is later: devices drift.

    Args:
        chunks: ordered by number.
        spans: their begins and ends ascend.
    """
    starts_ns, ends_ns = [start_ns for start_ns, _ in spans], [end_ns for _, end_ns in spans]
    chosen: list[list[ChunkMetadata]] = [[] for _ in spans]
    for at, chunk in enumerate(chunks):
        first = bisect_left(ends_ns, chunk.t0_ns)
        for n in range(first, bisect_right(starts_ns, _reach_ns(chunks, at))):
            chosen[n].append(chunk)
    return chosen


def _reach_ns(chunks: Sequence[ChunkMetadata], at: int) -> int:
    """Until when chunk `at` may have samples: its own end, or the start of the next one."""
    chunk = chunks[at]
    later_ns = [after.t0_ns for after in chunks[at + 1 : at + 3] if after.seq != chunk.seq]
    return max([end_ns_of(chunk), *later_ns[:1]])


def require_single_bodies(chosen: StreamChunks) -> None:
    """Refuse chunks of which two of one stream have one number.

    Raises:
        AmbiguousChunks: no list says which of the two counts.
    """
    for stream, chunks in chosen.items():
        several = {one.seq for one, after in itertools.pairwise(chunks) if one.seq == after.seq}
        if several:
            raise AmbiguousChunks(
                f"chunk {min(several)} of stream {stream!r} holds two bodies; `complete` decides"
            )


def portions_of(spans: Sequence[SpanNs]) -> list[range]:
    """Divide spans into portions of at most `MAX_PORTION_NS` each, or of one longer span.

    Args:
        spans: ordered by their begin.

    Returns:
        the positions of each portion's spans. Both ends of the portions ascend.

    >>> h = 3600 * NS_PER_S
    >>> portions_of([(0, h), (h, 2 * h), (h, 3 * h), (9 * h, 15 * h), (10 * h, 11 * h)])
    [range(0, 2), range(2, 3), range(3, 5)]
    """
    portions: list[range] = []
    reached_ns = limit_ns = _FIRST_NS
    for n, (start_ns, end_ns) in enumerate(spans):
        if portions and end_ns <= max(reached_ns, limit_ns):
            portions[-1] = range(portions[-1].start, n + 1)
        else:
            portions.append(range(n, n + 1))
            limit_ns = start_ns + MAX_PORTION_NS
        reached_ns = max(reached_ns, end_ns)
    return portions


def extent_of(spans: Sequence[SpanNs], context_ns: int) -> SpanNs:
    """From the first begin of spans to the last end, with `context_ns` before and after."""
    return min(start for start, _ in spans) - context_ns, max(end for _, end in spans) + context_ns
