"""Copies chunks that a client's list does not name to the dead letters, until a longer one does."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from ingest import slots
from ingest.chunk_selection import StreamChunks
from ingest.event_writer import MS_US
from ingest.rows import body_of
from schemas.errors import BadSamples
from schemas.ids import day_of, slot
from schemas.retention import DEAD_LETTERS_TTL
from schemas.times import at_us
from store.dead_letters import CHUNK, DeadLetter, seconds_left
from store.records import Records
from store.samples import ChunkMetadata, SampleRow
from store.sessions import StreamList


async def keep_unlisted(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    stream: str,
    chunks: Sequence[ChunkMetadata],
    listed: StreamList,
    now_us: int,
) -> None:
    """Copy chunks that are stored but not listed to the dead letters.

    The rows stay, because a longer list may still name them. The id of a letter follows from its
    content, so that a repeat adds none. Chunks that were received more than 30 days before `now_us`
    are left out: a letter about them would have expired.
    """
    if not chunks:
        return
    unlisted = [(chunk.seq, chunk.sha256) for chunk in chunks]
    per_day = records.dead_letters.per_day  # a broken client must not fill the disk of all
    remaining: dict[date, int] = {}
    now = at_us(now_us)
    for row in await records.samples.rows(user_id, session_id, stream, unlisted[:per_day]):
        received_at = at_us(row.received_us)
        if not seconds_left(received_at, now):
            continue
        day = received_at.date()
        if day not in remaining:
            remaining[day] = per_day - await records.dead_letters.count(user_id, day)
        remaining[day] -= 1
        if remaining[day] < 0:
            continue
        where = CHUNK.format(seq=row.seq, stream=stream, session_id=session_id)
        says = "another body" if row.seq < len(listed.hashes) else "no such number"
        await records.dead_letters.put(
            DeadLetter(
                id=_letter_id(session_id, stream, row.seq, row.sha256),
                user_id=user_id,
                kind="chunk",
                reason=f"{where}the list names {says}",
                payload=_payload(row),
                received_at=received_at,
            ),
            now,
        )
    if await records.sessions.read(user_id, session_id) is None:  # deleted meanwhile
        await records.dead_letters.delete_session(user_id, session_id, now)


async def forget_listed(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    chunks: StreamChunks,
    lists: Mapping[str, StreamList],
    now_us: int,
) -> None:
    """Delete the dead letters of chunks that a longer list names after all.

    Letters are looked for under the days on which those chunks may have been received: after the
    session began, before the list. Of a list older than 30 days no letter is left.

    Args:
        records: the repositories.
        user_id: whose session.
        session_id: which one.
        chunks: those that the lists name, by stream.
        lists: of at least these streams.
        now_us: server time.
    """
    now = at_us(now_us)
    grown = [
        stream
        for stream in chunks
        if seconds_left(at_us(lists[stream].revision), now)
        and await _has_grown(records, user_id, session_id, stream, lists[stream])
    ]
    if not grown:
        return
    day = timedelta(days=1)  # the device's clock may be ahead, and those of two servers differ
    until = at_us(max(lists[stream].revision for stream in grown)).date() + day
    since = max(day_of(session_id) - day, (now - DEAD_LETTERS_TTL).date())
    letters = await records.dead_letters.about(user_id, session_id, now, since=since, until=until)
    if not letters:
        return
    named = {
        _letter_id(session_id, stream, chunk.seq, chunk.sha256)
        for stream in grown
        for chunk in chunks[stream]
    }
    await records.dead_letters.delete(user_id, [key for key in letters if key.id in named])


async def _has_grown(
    records: Records, user_id: UUID, session_id: UUID, stream: str, listed: StreamList
) -> bool:
    """Whether a list came before this one, which may have left out what this one names."""
    first_slot = slots.stream_listed(session_id, stream, 0)
    first = await records.journal.read(user_id, session_id, first_slot)
    return first is not None and listed.revision // MS_US > first.received_us // MS_US


def _letter_id(session_id: UUID, stream: str, seq: int, sha256: bytes) -> UUID:
    return slot(session_id, stream, seq, sha256.hex())


def _payload(row: SampleRow) -> bytes:
    """The body that a client sent; of a row that is damaged, what is left of its samples."""
    try:
        return body_of(row)
    except BadSamples:
        return row.xyz
