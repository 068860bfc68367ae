"""How samples of several sets are loaded and corrected: once, in a thread, some hours at a time."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from ingest.chunks import Chunk, canonical_body, decode_chunk
from ingest.stretches import project_stretches
from models.signal import timeline
from schemas.events import Completion, SetConfirmation
from schemas.times import us_of
from tests.ingest.histories import CHUNKS, LIMITS, START, new_id
from tests.ingest.recorded_session import FailingRepository, RecordedSession

HOUR_S = 3600


def chunk_at(second: int) -> Chunk:
    """One second of samples, that long after the session's start."""
    piece = CHUNKS[0, 0].piece
    moved = replace(piece, t0_ns=piece.t0_ns + second * 10**9)
    return decode_chunk(canonical_body(moved), "application/cbor", LIMITS)


class RowsRead:
    """Chunks that note the numbers whose samples are read together."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.loads = inner, list[list[int]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def rows(
        self, user_id: UUID, session_id: UUID, stream: str, wanted: Sequence[tuple[int, bytes]]
    ) -> Any:
        self.loads.append([seq for seq, _ in wanted])
        return await self._inner.rows(user_id, session_id, stream, wanted)


async def recorded(seconds: Sequence[int], sets_at: Sequence[int]) -> RecordedSession:
    """A session with a chunk at each of these seconds, listed, and sets of half a second."""
    session = RecordedSession()
    session.now = START + timedelta(seconds=max(seconds) + 60)
    await session.open()
    chunks = [chunk_at(second) for second in seconds]
    for seq, chunk in enumerate(chunks):
        await session.recorder.put_chunk(session.user, session.session, "acc", seq, chunk)
    for second in sets_at:
        confirmation = SetConfirmation(
            exercise="row",
            started_at=START + timedelta(seconds=second + 0.2),
            ended_at=START + timedelta(seconds=second + 0.7),
        )
        await session.recorder.confirm_set(session.user, session.session, new_id(), confirmation)
    session.listed = [chunk.sha256.hex() for chunk in chunks]
    return session


async def complete(session: RecordedSession, **repositories: Any) -> None:
    """Complete a session, with some of the repositories replaced."""
    recorder = session.on(replace(session.records, **repositories))
    listed = Completion(streams={"acc": session.listed})
    await recorder.complete(session.user, session.session, listed)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The thread of each correction of a recording from now on."""
    used: list[threading.Thread] = []
    inner: Callable[..., Any] = timeline.corrected

    def corrected(recording: Any) -> Any:
        used.append(threading.current_thread())
        return inner(recording)

    monkeypatch.setattr(timeline, "corrected", corrected)
    return used


async def test_completion_corrects_the_samples_of_all_sets_once_and_in_a_thread(
    threads: list[threading.Thread],
) -> None:
    session = await recorded(range(8), range(8))
    threads.clear()
    await complete(session)
    assert len(await session.labelled()) == 8
    assert len(threads) == 1
    assert threading.main_thread() not in threads


async def test_completion_does_not_read_the_hours_between_two_sets() -> None:
    first, last = 0, 12 * HOUR_S
    session = await recorded([first, 6 * HOUR_S, 7 * HOUR_S, last], [first, last])
    read = RowsRead(session.records.samples)
    await complete(session, samples=read)
    assert len(await session.labelled()) == 2
    assert read.loads == [[0], [2, 3]], "a chunk may last until the next one begins"


async def test_repeated_completion_reads_no_samples_of_current_labels() -> None:
    session = await recorded(range(3), range(3))
    await complete(session)
    before = await session.records.labelled.of_user(session.user, "wrist-acc3")
    read = RowsRead(session.records.samples)
    unwritten = FailingRepository(session.records.labelled, "put")
    await complete(session, samples=read, labelled=unwritten)
    assert read.loads == []
    assert await session.records.labelled.of_user(session.user, "wrist-acc3") == before


async def test_stretches_are_corrected_once_per_load_and_without_the_hours_between(
    threads: list[threading.Thread],
) -> None:
    seconds = [100, 1000, 6 * HOUR_S, 7 * HOUR_S, 12 * HOUR_S]
    session = await recorded(seconds, [100, 1000, 12 * HOUR_S])
    await complete(session)
    threads.clear()
    read = RowsRead(session.records.samples)
    records = replace(session.records, samples=read)
    await project_stretches(records, session.user, us_of(session.now))
    assert read.loads == [[0, 1], [3, 4]]
    assert len(threads) == 2
    assert threading.main_thread() not in threads
    stored = await session.records.stretches.of_session(session.user, session.session)
    assert len(stored) == 3
