"""Copies chunks that a client's list does not name to the dead letters, until a longer one does."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from ingest import slots
from ingest.chunk_selection import StreamChunks, is_listed
from ingest.event_writer import MS_US
from ingest.sample_rows import body_of
from ingest.stored_session import StoredSession
from schemas.errors import BadSamples
from schemas.ids import day_of, slot
from schemas.retention import DEAD_LETTERS_TTL
from schemas.times import time_at
from store.dead_letters import CHUNK, DeadLetter, seconds_left
from store.samples import ChunkMetadata, SampleRow


async def keep_unlisted(
    stored: StoredSession, stream: str, chunks: Iterable[ChunkMetadata], now_us: int
) -> None:
    """Copy those chunks of a stream that its list does not name to the dead letters.

    The rows stay, because a longer list may still name them. The id of a letter follows from its
    content, so that a repeat adds none. Chunks that were received more than 30 days before `now_us`
    are left out: a letter about them would have expired.
    """
    unlisted = [chunk for chunk in chunks if not is_listed(chunk, stored.lists[stream])]
    if not unlisted:
        return
    letters, now = stored.records.dead_letters, time_at(now_us)
    remaining: dict[date, int] = {}  # a broken client must not fill the disk of all
    for row in await stored.rows(stream, unlisted[: letters.per_day]):
        received_at = time_at(row.received_us)
        if not seconds_left(received_at, now):
            continue
        day = received_at.date()
        if day not in remaining:
            remaining[day] = letters.per_day - await letters.count(stored.user_id, day)
        remaining[day] -= 1
        if remaining[day] >= 0:
            await letters.put(_letter(stored, stream, row, received_at), now)
    if await stored.records.sessions.read(*stored.key) is None:  # deleted meanwhile
        await letters.delete_session(*stored.key, now)


def _letter(
    stored: StoredSession, stream: str, row: SampleRow, received_at: datetime
) -> DeadLetter:
    """The letter about a chunk that its stream's list does not name."""
    user_id, session_id = stored.key
    where = CHUNK.format(seq=row.seq, stream=stream, session_id=session_id)
    says = "another body" if row.seq < len(stored.lists[stream].hashes) else "no such number"
    return DeadLetter(
        id=_letter_id(session_id, stream, row.seq, row.sha256),
        user_id=user_id,
        kind="chunk",
        reason=f"{where}the list names {says}",
        payload=_payload(row),
        received_at=received_at,
    )


async def forget_listed(stored: StoredSession, chunks: StreamChunks, now_us: int) -> None:
    """Delete the dead letters of chunks that a longer list names after all.

    Letters are looked for under the days on which those chunks may have been received: after the
    session began, before the list. Of a list older than 30 days no letter is left.

    Args:
        stored: the session, with lists of at least these streams.
        chunks: those that the lists name, by stream.
        now_us: server time.
    """
    dead_letters, lists, now = stored.records.dead_letters, stored.lists, time_at(now_us)
    user_id, session_id = stored.key
    grown = [
        stream
        for stream in chunks
        if seconds_left(time_at(lists[stream].revision), now) and await _has_grown(stored, stream)
    ]
    if not grown:
        return
    day = timedelta(days=1)  # the device's clock may be ahead, and those of two servers differ
    until = time_at(max(lists[stream].revision for stream in grown)).date() + day
    since = max(day_of(session_id) - day, (now - DEAD_LETTERS_TTL).date())
    letters = await dead_letters.about(user_id, session_id, now, since=since, until=until)
    if not letters:
        return
    named = {
        _letter_id(session_id, stream, chunk.seq, chunk.sha256)
        for stream in grown
        for chunk in chunks[stream]
    }
    await dead_letters.delete(user_id, [key for key in letters if key.id in named])


async def _has_grown(stored: StoredSession, stream: str) -> bool:
    """Whether a list came before a stream's, which may have left out what this one names."""
    user_id, session_id = stored.key
    first_slot = slots.stream_listed(session_id, stream, 0)
    first = await stored.records.journal.read(user_id, session_id, first_slot)
    revision = stored.lists[stream].revision
    return first is not None and revision // MS_US > first.received_us // MS_US


def _letter_id(session_id: UUID, stream: str, seq: int, sha256: bytes) -> UUID:
    return slot(session_id, stream, seq, sha256.hex())


def _payload(row: SampleRow) -> bytes:
    """The body that a client sent; of a row that is damaged, what is left of its samples."""
    try:
        return body_of(row)
    except BadSamples:
        return row.xyz
