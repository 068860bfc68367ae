"""Chooses the chunks by which a session's data is judged: a minute of it, in any size of chunks.

Reading all samples of a session for every answer about it would take seconds. A minute tells units
and what is missing, if it is not all of one rest: so it is taken in three places. Bounds on chunks
and samples keep it cheap whatever clients send.
"""

from collections.abc import Sequence
from itertools import accumulate

from ingest.sample_rows import end_ns_of
from schemas.layout import CHUNKS_PER_PART
from schemas.times import NS_PER_S
from store.samples import ChunkMetadata

PARTS_READ = 9
"""Partitions of a stream from which chunks are chosen: 1,152 chunks, which are 19 minutes of chunks
of a second, and 23 s of single samples at 50 Hz."""
PLACES = 3
PLACE_NS = 22 * NS_PER_S
"""The length of a place: wrong units of rotation are judged by 20 s or more without a gap."""
MIN_PLACE_CHUNKS = 4  # neighbours by which a rate is told from overlaps
MAX_PLACE_SAMPLES = 4 * 8192  # in bytes, 200 kB of each sensor; 22 s at 1,000 Hz are fewer


def parts_to_read(parts: Sequence[int]) -> list[int]:
    """The parts of a stream whose chunks are looked at: the first ones, and the last.

    >>> parts_to_read(range(40))
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 39]
    """
    return sorted({*parts[:PARTS_READ], *parts[-1:]})


def judged_places(chunks: Sequence[ChunkMetadata]) -> list[list[ChunkMetadata]]:
    """Chunks in up to three places of what was recorded: after a sixth, a half, and five sixths.

    All chunks of a shorter stream are in one of them. Those after the first parts are left out.

    Args:
        chunks: of one stream and one clock, in the order of their numbers.

    Returns:
        the places in order, without the chunks that are in an earlier one.
    """
    end_seq = (chunks[0].seq // CHUNKS_PER_PART + PARTS_READ) * CHUNKS_PER_PART if chunks else 0
    near = [chunk for chunk in chunks if chunk.seq < end_seq]
    ends_ns = list(accumulate(end_ns_of(chunk) - chunk.t0_ns for chunk in near))
    chosen: set[int] = set()
    places: list[list[ChunkMetadata]] = []
    for n in range(PLACES):
        middle_ns = ends_ns[-1] * (2 * n + 1) // (2 * PLACES) if near else 0
        place = [k for k in _place(near, ends_ns, middle_ns) if k not in chosen]
        chosen |= set(place)
        places.append([near[k] for k in place])
    return [place for place in places if place]


def _place(chunks: Sequence[ChunkMetadata], ends_ns: Sequence[int], middle_ns: int) -> list[int]:
    """Positions of neighbouring chunks around a time of what was recorded, within the bounds."""
    start_ns = middle_ns - PLACE_NS // 2
    first = sum(end_ns <= start_ns for end_ns in ends_ns)
    first = max(0, min(first, len(chunks) - MIN_PLACE_CHUNKS))
    place: list[int] = []
    samples = 0
    for k in range(first, len(chunks)):
        samples += chunks[k].n
        reached = place and ends_ns[place[-1]] >= start_ns + PLACE_NS
        enough = reached and len(place) >= MIN_PLACE_CHUNKS
        if enough or (place and samples > MAX_PLACE_SAMPLES):
            break
        place.append(k)
    return place


def beside(chunks: Sequence[ChunkMetadata], place: Sequence[ChunkMetadata]) -> list[ChunkMetadata]:
    """The chunks of another stream that share time with a place, within the bound of samples."""
    start_ns, end_ns = min(c.t0_ns for c in place), max(map(end_ns_of, place))
    shared = [c for c in chunks if c.t0_ns < end_ns and end_ns_of(c) > start_ns]
    samples = accumulate(chunk.n for chunk in shared)
    return [c for c, n in zip(shared, samples, strict=True) if n <= MAX_PLACE_SAMPLES]
