"""Appends the lists of streams to the journal: each revision of a list has one successor."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple
from uuid import UUID

from ingest import slots
from ingest.chunk_selection import StreamChunks
from ingest.event_writer import MAX_ATTEMPTS, CostOfBytes, EventWriter, charged
from ingest.openings import OFFSET_MS
from ingest.projections import project_all, project_lists
from schemas.errors import EventConflict
from schemas.topics import SESSIONS
from store.journal import Event
from store.sessions import StreamList, newest_revision

_MAX_BATCH_HASHES = 400  # hashes that are appended in one batch: some 27 KB


class RequestedList(NamedTuple):
    """What a client lists of a stream.

    Attributes:
        hashes: of chunks 0, 1, …; None for numbers without a chunk, but not at the end.
        offset_ms: how far the server's clock is ahead of the stream's; None: as known.
    """

    hashes: list[str | None]
    offset_ms: int | None


async def list_streams(
    writer: EventWriter,
    user_id: UUID,
    session_id: UUID,
    requested: Mapping[str, RequestedList],
    stored_chunks: StreamChunks,
    cost_of: CostOfBytes,
) -> None:
    """Append the lists of streams that the journal does not have, and project them.

    Args:
        writer: of the journal.
        user_id: whose session.
        session_id: which one.
        requested: the lists, by stream.
        stored_chunks: all chunks of these streams.
        cost_of: the bytes of the lists that are stored.

    Raises:
        LimitExceeded: over the quota; of long lists, some may be stored.
        EventConflict: a list that neither repeats nor extends the stored one.
    """
    records, waiting = writer.records, dict(requested)
    for _ in range(MAX_ATTEMPTS):
        lists = await records.sessions.lists(user_id, session_id)
        repeated = [name for name in waiting if _is_stored(lists.get(name), waiting[name].hashes)]
        if repeated:  # the first attempt may have failed half way
            await project_lists(
                records, user_id, session_id, repeated, writer.now_us(), stored_chunks
            )
        events = {
            name: _listing(writer, session_id, name, request, lists)
            for name, request in waiting.items()
            if name not in repeated
        }
        stored = await _append(writer, user_id, events, waiting, cost_of)
        await project_all(records, user_id, [*stored.values()], writer.now_us(), stored_chunks)
        waiting = {n: waiting[n] for n in events if not stored[n].matches(events[n])}
        if not waiting:
            return
    names = ", ".join(waiting)
    raise EventConflict(f"The lists of {names} are being changed by others; send them again.")


def list_bytes(hashes: Sequence[str | None]) -> int:
    """The size of a list in the journal, bytes.

    >>> list_bytes(["0" * 64, None])
    72
    """
    nulls = hashes.count(None)
    return 67 * (len(hashes) - nulls) + 5 * nulls


def _is_stored(current: StreamList | None, hashes: Sequence[str | None]) -> bool:
    """Whether a list repeats the stored one, or a prefix of it."""
    return current is not None and list(hashes) == _hex(current)[: len(hashes)]


def _hex(current: StreamList | None) -> list[str | None]:
    return [sha256.hex() or None for sha256 in current.hashes] if current else []


def _listing(
    writer: EventWriter,
    session_id: UUID,
    stream: str,
    request: RequestedList,
    lists: Mapping[str, StreamList],
) -> Event:
    """The event that extends the stored list, dated after those of all streams.

    Raises:
        EventConflict: the list contradicts the stored one.
    """
    current, hashes = lists.get(stream), request.hashes
    stored = _hex(current)
    if hashes[: len(stored)] != stored:
        raise _contradiction(stream, stored, hashes)
    revision = current.revision if current else 0
    return writer.event(
        session_id,
        slots.stream_listed(session_id, stream, revision),
        "stream-listed",
        {"stream": stream, "hashes": hashes},
        after_us=newest_revision(lists),
        meta={OFFSET_MS: request.offset_ms},
    )


async def _append(
    writer: EventWriter,
    user_id: UUID,
    events: Mapping[str, Event],
    requested: Mapping[str, RequestedList],
    cost_of: CostOfBytes,
) -> dict[str, Event]:
    """Append the events of streams, and charge the lists that were stored; the others are free.

    Returns:
        the event that is in the slot of each stream afterwards.
    """
    sizes = {name: list_bytes(requested[name].hashes) for name in events}
    if sum(len(requested[name].hashes) for name in events) > _MAX_BATCH_HASHES:
        return {
            name: await writer.append(user_id, event, SESSIONS, cost_of(sizes[name]))
            for name, event in events.items()
        }
    journal = writer.records.journal
    new = [
        name
        for name, event in events.items()
        if not await journal.read(user_id, event.entity_id, event.event_id)
    ]
    with charged(cost_of(sum(sizes[name] for name in new))) if new else nullcontext():
        stored = await journal.append_all(user_id, [*events.values()], SESSIONS)
    winners = dict(zip(events, stored, strict=True))
    lost = [name for name in new if winners[name] != events[name]]
    if lost:  # a race
        cost_of(sum(sizes[name] for name in lost)).refund()
    return winners


def _contradiction(
    stream: str, stored: Sequence[str | None], hashes: Sequence[str | None]
) -> EventConflict:
    pairs = enumerate(zip(stored, hashes, strict=False))
    at = next(seq for seq, (before, now) in pairs if before != now)
    return EventConflict(
        f"chunk {at} of stream {stream!r} is listed as {stored[at]} already; a list may only grow"
    )
