"""Pairs the parts of a wrist's two sensors that were recorded on one clock.

The clock of a phone is set back for both sensors at once, but each sensor's chunks tell by
themselves: where one has only a chunk or two before or after, its own do not (`ingest/clocks.py`).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest.chunk_selection import StreamChunks
from ingest.clocks import LARGE_STEP_NS, MAX_RATE_ERROR, MIN_CLOCK_STEP_NS, split_by_clock
from ingest.sample_rows import end_ns_of
from schemas.times import SpanNs
from store.samples import ChunkMetadata

ClockParts = list[tuple[str, Sequence[ChunkMetadata]]]
"""Chunks of one clock with the name of their stream; those of a stream in order of number."""

MAX_STEPS = 100  # a clock that is set back more often follows no rule


class _Step(NamedTuple):
    """By how much a clock was set back, and to which time."""

    back_ns: int
    to_ns: int


def parts_by_clock(acc: StreamChunks, gyro: StreamChunks) -> tuple[ClockParts, ClockParts]:
    """The chunks of each sensor, split where the clock of a stream was set back.

    What one sensor shows also splits the other one, where its chunks go back by as much at about
    the same time.
    """
    acc_parts, gyro_parts = _split(acc), _split(gyro)
    acc_steps, gyro_steps = _steps(acc_parts), _steps(gyro_parts)
    if max(len(acc_steps), len(gyro_steps)) > MAX_STEPS:
        return acc_parts, gyro_parts
    return (
        _split_again(acc_parts, [step for step in gyro_steps if not _has(acc_steps, step)]),
        _split_again(gyro_parts, [step for step in acc_steps if not _has(gyro_steps, step)]),
    )


def rotation_by_clock(acc: ClockParts, gyro: ClockParts) -> list[StreamChunks]:
    """The rotation that belongs to each part of the acceleration.

    In order where the streams of both split alike; else each part of rotation belongs to the part
    of acceleration with which it shares most time.
    """
    if _sizes(acc) == _sizes(gyro) or max(len(acc), len(gyro)) > MAX_STEPS:
        in_order: list[StreamChunks] = [{name: chunks} for name, chunks in gyro[: len(acc)]]
        return [*in_order, *({} for _ in acc[len(gyro) :])]
    of_acc: list[dict[str, list[ChunkMetadata]]] = [{} for _ in acc]
    acc_spans = [_spans(chunks) for _, chunks in acc]
    for name, chunks in gyro:
        spans = _spans(chunks)
        shared_ns = [_shared_ns(spans, others) for others in acc_spans]
        if shared_ns:
            of_acc[shared_ns.index(max(shared_ns))].setdefault(name, []).extend(chunks)
    return [*of_acc]


def _split(chunks: StreamChunks) -> ClockParts:
    return [
        (name, part) for name, of_stream in chunks.items() for part in split_by_clock(of_stream)
    ]


def _sizes(parts: ClockParts) -> list[int]:
    """How many parts each stream has, in order."""
    names = [name for name, _ in parts]
    return [names.count(name) for name in dict.fromkeys(names)]


def _steps(parts: ClockParts) -> list[_Step]:
    """The steps between neighbouring parts of a stream."""
    return [
        _step(before[-1], after[0])
        for (name, before), (other, after) in pairwise(parts)
        if name == other
    ]


def _step(before: ChunkMetadata, after: ChunkMetadata) -> _Step:
    return _Step(end_ns_of(before) - after.t0_ns, after.t0_ns)


def _has(steps: Sequence[_Step], step: _Step) -> bool:
    return any(_is_same(step, other) for other in steps)


def _is_same(a: _Step, b: _Step) -> bool:
    """Whether both sensors may show one step: the chunks of each begin at times of their own."""
    allowed_ns = max(MIN_CLOCK_STEP_NS, MAX_RATE_ERROR * a.back_ns)
    return abs(a.back_ns - b.back_ns) <= allowed_ns and abs(a.to_ns - b.to_ns) <= LARGE_STEP_NS


def _split_again(parts: ClockParts, steps: Sequence[_Step]) -> ClockParts:
    """The parts, split where their chunks go back like the other sensor's."""
    if not steps:
        return parts
    cuts = _cuts(parts, steps)
    again: ClockParts = []
    for number, (name, chunks) in enumerate(parts):
        places = sorted(place for part, place in cuts if part == number)
        again += [(name, chunks[a:b]) for a, b in pairwise([0, *places, len(chunks)])]
    return again


def _cuts(parts: ClockParts, steps: Sequence[_Step]) -> set[tuple[int, int]]:
    """Where a part goes back most like each step: the number of the part, and of its chunk."""
    candidates = [
        (own_step, (number, place))
        for number, (_, chunks) in enumerate(parts)
        for place, own_step in _steps_back(chunks)
    ]
    cuts: set[tuple[int, int]] = set()
    for step in steps:
        alike = [
            (abs(own_step.to_ns - step.to_ns), cut)
            for own_step, cut in candidates
            if _is_same(step, own_step)
        ]
        if alike:
            _, nearest = min(alike)
            cuts.add(nearest)
    return cuts


def _steps_back(chunks: Sequence[ChunkMetadata]) -> Iterator[tuple[int, _Step]]:
    """The numbers of chunks that begin before the last one is over, unless they were resent."""
    seen: set[bytes] = set()
    for at, (before, after) in enumerate(pairwise(chunks), start=1):
        seen.add(before.sha256)
        step = _step(before, after)
        if step.back_ns > MIN_CLOCK_STEP_NS and after.sha256 not in seen:
            yield at, step


def _spans(chunks: Sequence[ChunkMetadata]) -> list[SpanNs]:
    return sorted((chunk.t0_ns, end_ns_of(chunk)) for chunk in chunks)


def _shared_ns(mine: Sequence[SpanNs], theirs: Sequence[SpanNs]) -> int:
    """For how long spans of both, in time order, last at one time.

    >>> _shared_ns([(0, 10), (10, 20), (40, 50)], [(15, 25), (30, 45)])
    10
    """
    shared_ns = i = j = 0
    while i < len(mine) and j < len(theirs):
        shared_ns += max(0, min(mine[i][1], theirs[j][1]) - max(mine[i][0], theirs[j][0]))
        if mine[i][1] <= theirs[j][1]:
            i += 1
        else:
            j += 1
    return shared_ns
