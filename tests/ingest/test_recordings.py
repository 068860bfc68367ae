"""Which chunks form the recording of a wrist."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from ingest.chunk_selection import (
    MAX_SAMPLES_READ,
    chunks_of_spans,
    counted_chunks,
    first_day_chunks,
    within_samples,
)
from ingest.chunks import Chunk
from ingest.labelled_sets import covers
from ingest.recordings import load_portions, load_recordings
from ingest.sample_rows import end_ns_of, piece_of, row_of
from ingest.session_notes import session_notes
from ingest.stored_session import with_lists
from models.signal.pieces import Piece
from schemas.errors import BadSamples
from schemas.events import Completion
from store.samples import ChunkMetadata
from store.sessions import NO_HASH, SessionRow, StreamList
from tests.ingest.histories import CHUNKS, START, STREAM, new_id
from tests.ingest.recorded_session import NOW, RecordedSession
from tests.store.memory import memory_records

NS = 10**9


@pytest.mark.parametrize(
    ("placement", "notes"), [("wrist", []), ("My Watch", []), ("pocket", ["acc: not-on-a-wrist"])]
)
async def test_session_notes_that_no_stream_is_on_a_wrist(placement: str, notes: list[str]) -> None:
    one = RecordedSession(acc={**STREAM, "placement": placement})
    await one.open(0)
    row = await one.records.sessions.read(one.user, one.session)
    assert row is not None
    noted = await session_notes(one.records, one.user, row, NOW)
    assert [note for note in noted if "wrist" in note] == notes


def test_a_clock_more_than_a_minute_off_is_noted() -> None:
    offsets_ms = {"a": 60_000, "b": 60_001, "c": -60_000, "d": -60_001}
    session = SessionRow(new_id(), START, None, "UTC", None, {}, offsets_ms, complete=False)
    notes = asyncio.run(session_notes(memory_records(), new_id(), session, NOW))
    assert notes == ["b: clock-is-off", "d: clock-is-off"]


async def test_session_notes_a_sampling_rate_above_the_declared_one() -> None:
    """One second of samples at the declared rate, every 0.9 s."""
    one = RecordedSession()
    await one.open()
    dice = np.random.default_rng(0)
    for seq in range(4):
        sent = CHUNKS[0, 0].piece
        counts = dice.integers(-4000, 4000, sent.counts.shape, dtype=np.int16)
        t0_ns = sent.t0_ns + round(seq * 0.9 * len(counts) / sent.rate_hz * NS)
        faster = replace(CHUNKS[0, 0], piece=replace(sent, t0_ns=t0_ns, counts=counts))
        await one.recorder.put_chunk(one.user, one.session, "acc", seq, faster)
    row = await one.records.sessions.read(one.user, one.session)
    assert row is not None
    assert "acc: rate-was-higher" in await session_notes(one.records, one.user, row, NOW)


@pytest.mark.parametrize(
    ("chunks", "pause_s", "loaded", "says"),
    [(10, 0, 10, False), (12, 0, 11, True), (10, 9000, 10, True), (12, 9000, 11, True)],
)
async def test_only_the_first_day_of_a_longer_session_is_loaded_and_noted(
    chunks: int, pause_s: int, loaded: int, *, says: bool
) -> None:
    """Chunks of 2.3 hours: ten are less than a day; pauses do not count."""
    one = RecordedSession()
    await one.open()
    sent = CHUNKS[0, 0].piece
    counts = np.zeros((8192, 3), dtype=np.int16)
    for seq in range(chunks):
        t0_ns = sent.t0_ns + seq * (8192 + pause_s) * NS
        slow = replace(sent, t0_ns=t0_ns, rate_hz=1.0, counts=counts)
        chunk = replace(CHUNKS[0, 0], piece=slow)
        await one.recorder.put_chunk(one.user, one.session, "acc", seq, chunk)
    listed: list[str | None] = [CHUNKS[0, 0].sha256.hex()] * chunks
    row = await one.recorder.complete(one.user, one.session, Completion(streams={"acc": listed}))
    (recording,), _ = await load_recordings(await with_lists(one.records, one.user, row))
    assert len(recording.acc) == loaded
    notes = await session_notes(one.records, one.user, row, NOW)
    assert ("acc: longer-than-a-day" in notes) == says


def chunk(seq: int, t0_s: float, n: int = 50, sha: bytes = b"a") -> ChunkMetadata:
    return ChunkMetadata(seq, sha, int(t0_s * NS), 50.0, n)


def test_first_day_is_measured_by_chunk_times_if_the_rate_exceeds_the_declared_one() -> None:
    """Two hours of samples at the declared rate, every hour."""
    hourly = [chunk(n, n * 3600, n=2 * 3600 * 50) for n in range(30)]
    # the first day ends where its last chunk begins
    assert [h.seq for h in first_day_chunks({"acc": hourly})["acc"]] == [*range(25)]


def test_first_day_goes_on_from_stream_to_stream() -> None:
    """Watches worn in turn, each with chunks of nine hours."""
    hours = [chunk(n, n * 9 * 3600, n=9 * 3600 * 50) for n in range(5)]
    kept = first_day_chunks({"first": hours[:2], "second": hours[2:], "third": []})
    assert kept == {"first": hours[:2], "second": hours[2:3], "third": []}


MINUTES = 24 * 60


@pytest.mark.parametrize(
    "starts_min",
    [
        [n // 2 for n in range(2 * MINUTES)],  # each was sent twice
        [*range(900), *range(890, MINUTES - 10)],  # the clock was set back
        [*range(900), *(n + 0.5 for n in range(880, MINUTES - 20))],  # of an app that started again
    ],
    ids=["resent", "set back", "restarted"],
)
def test_a_day_with_repeats_and_overlaps_is_read_as_a_whole(starts_min: list[float]) -> None:
    chunks = {"acc": [chunk(n, at * 60, n=3000) for n, at in enumerate(starts_min)]}
    assert within_samples(first_day_chunks(chunks)) == chunks


@pytest.mark.parametrize("step_ns", [0, 1, -NS])
def test_chunks_that_hardly_advance_are_read_up_to_a_number_of_samples(step_ns: int) -> None:
    """Two days of quota in one session."""
    at_once = [ChunkMetadata(n, b"a", n * step_ns, 50.0, 8000) for n in range(100_000_000 // 8000)]
    apart = {"acc": at_once[:5000], "other": at_once[5000:]}
    kept = within_samples(first_day_chunks({"acc": at_once}))
    assert sum(one.n for one in kept["acc"]) == MAX_SAMPLES_READ
    assert within_samples(apart) == {"acc": at_once[:3125], "other": []}


async def test_no_more_than_a_number_of_samples_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = CHUNKS[0, 0]
    monkeypatch.setattr("ingest.chunk_selection.MAX_SAMPLES_READ", 5 * len(sent.piece.counts))
    one = RecordedSession()
    await one.open()
    for seq in range(9):
        await one.recorder.put_chunk(one.user, one.session, "acc", seq, sent)
    row = await one.recorder.session(one.user, one.session)
    stored = await with_lists(one.records, one.user, row)
    (recording,), _ = await load_recordings(stored)
    assert len(recording.acc) == 5
    span = (sent.piece.t0_ns, sent.piece.end_ns)
    parts = [p async for _, p in load_portions(stored, [span])]
    assert [len(part.acc) for part in parts if part] == [5]


def test_chunks_of_spans_are_those_that_touch_each() -> None:
    chunks = [chunk(n, n) for n in range(9)]  # a second each
    spans = [
        (-NS, 0),
        (int(1.5 * NS), int(2.5 * NS)),
        (int(2.2 * NS), int(4.5 * NS)),
        (int(8.5 * NS), 99 * NS),
    ]
    apart = chunks_of_spans(chunks, spans)
    assert [[c.seq for c in part] for part in apart] == [[0], [1, 2], [2, 3, 4], [8]]
    assert [chunks_of_spans(chunks, [span]) for span in spans] == [[part] for part in apart]


def test_chunk_lasts_until_the_next_one_if_the_rate_is_below_the_declared_one() -> None:
    """50 samples that took 1.2 s although the device claims 50 Hz."""
    chunks = [chunk(n, 1.2 * n) for n in range(3)]
    (touching,) = chunks_of_spans(chunks, [(int(1.1 * NS), int(1.15 * NS))])
    assert [c.seq for c in touching] == [0]


def irregular(last_ms: int) -> Chunk:
    """50 samples, nearly all of them at once."""
    piece = CHUNKS[0, 0].piece
    t_ms = np.arange(len(piece.counts), dtype=np.int32)
    t_ms[-1] = last_ms
    piece = replace(piece, t_ms=t_ms)
    return Chunk(b"a", piece, b"")


@pytest.mark.parametrize("last_ms", [100, 5_000])
def test_chunk_end_follows_its_own_sample_times(last_ms: int) -> None:
    row = row_of(irregular(last_ms), 0, 0)
    one = ChunkMetadata(*row[:5], t_ms=row.t_ms)
    assert end_ns_of(one) == piece_of(row).end_ns == row.t0_ns + last_ms * 10**6 + 20_000_000
    late_ns = row.t0_ns + 4 * NS
    assert chunks_of_spans([one], [(late_ns, late_ns)]) == [[one] if last_ms > 4_000 else []]


def test_corrupt_sample_times_fail_when_the_samples_are_read() -> None:
    row = row_of(irregular(5_000), 0, 0)._replace(t_ms=b"junk")
    assert end_ns_of(ChunkMetadata(*row[:5], t_ms=row.t_ms)) == row.t0_ns + row.n * 20_000_000
    with pytest.raises(BadSamples):
        piece_of(row)


def test_stream_list_decides_which_chunks_count() -> None:
    chunks = [chunk(0, 0, sha=b"a"), chunk(0, 0, sha=b"b"), chunk(1, 1, sha=b"a"), chunk(2, 2)]
    assert counted_chunks(chunks, None) == chunks
    assert counted_chunks(chunks, StreamList((b"b", NO_HASH), 1)) == [chunks[1]]
    assert counted_chunks(chunks, StreamList((), 1)) == []


@pytest.mark.parametrize(
    ("spans", "covered"),
    [
        ([(0, 10)], True),
        ([(0.5, 9.5)], True),
        ([(0.6, 10)], False),
        ([(0, 9.4)], False),
        ([(0, 4), (4.5, 10)], True),
        ([(0, 4), (4.6, 10)], False),
        ([], False),
    ],
)
def test_gaps_up_to_half_a_second_are_tolerated(
    spans: list[tuple[float, float]], covered: bool
) -> None:
    def piece(start_s: float, end_s: float) -> Piece:
        counts = CHUNKS[0, 0].piece.counts[:1].repeat(round((end_s - start_s) * 50), axis=0)
        return Piece(round(start_s * NS), 50.0, "g", 1.0, counts)

    assert covers([piece(*span) for span in spans], 0, 10 * NS) is covered
