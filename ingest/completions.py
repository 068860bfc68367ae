"""Completes sessions: the client lists the hashes of its chunks, which define the session."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from ingest.chunk_selection import StreamChunks
from ingest.event_writer import CostOfBytes, EventWriter
from ingest.openings import MAX_TRAVEL_MS
from ingest.sessions import require_session, sender_offset_ms
from ingest.stored_chunks import chunk_metadata
from ingest.stream_lists import RequestedList, list_bytes, list_streams
from schemas.errors import BadEvent, MissingChunks, TooLarge
from schemas.events import Completion
from schemas.wire import LIST_BYTES
from store.samples import ChunkMetadata
from store.sessions import NO_STREAM, SessionRow


async def complete(
    writer: EventWriter,
    user_id: UUID,
    session_id: UUID,
    completion: Completion,
    cost_of: CostOfBytes,
) -> SessionRow:
    """Accept the lists of a session's streams: a repeat changes nothing, a longer list extends.

    No list at all completes a session that holds no samples, such as one of a phone alone.

    The journal stores every accepted list in full, so each is charged: a client may send its hashes
    one by one.

    Args:
        writer: of the journal.
        user_id: whose session.
        session_id: which one.
        completion: the lists.
        cost_of: the bytes of the lists that are stored; a repeat costs nothing.

    Raises:
        LimitExceeded: over the quota.
        NotFound, Deleted: no such session.
        BadEvent: the session has no such stream.
        TooLarge: a list that is longer than the journal can hold.
        MissingChunks: chunks that are listed but not stored, by stream.
        EventConflict: a list that neither repeats nor extends the stored one.
    """
    session = await require_session(writer, user_id, session_id)
    _check_streams(completion, session)
    listed = {name: trimmed(hashes) for name, hashes in sorted(completion.streams.items())}
    for name, hashes in listed.items():
        _check_length(name, hashes)
    stored_chunks = await chunk_metadata(writer.records, user_id, session_id, listed)
    _refuse_missing(completion, stored_chunks)
    sender_ms, known_ms = sender_offset_ms(writer, completion.sent_at), session.clock_offset_ms
    requested = {
        name: RequestedList(hashes, better_offset_ms(known_ms.get(name), sender_ms))
        for name, hashes in listed.items()
    }
    if not requested and not await writer.records.samples.parts(user_id, session_id):
        requested = {NO_STREAM: RequestedList([], None)}
    await list_streams(writer, user_id, session_id, requested, stored_chunks, cost_of)
    return await require_session(writer, user_id, session_id)


def _check_streams(completion: Completion, session: SessionRow) -> None:
    """Raise `BadEvent` for a list of a stream that the session does not have."""
    for name in completion.streams:
        if name not in session.streams:
            raise BadEvent(
                f"the session has no stream {name!r}; it has {', '.join(session.streams)}",
                field=f"streams.{name}",
                value=name,
            )


def _check_length(stream: str, hashes: Sequence[str | None]) -> None:
    size = list_bytes(hashes)
    if size > LIST_BYTES:
        raise TooLarge(
            f"the list of stream {stream!r} takes {size} bytes; at most {LIST_BYTES} can be stored",
            field=f"streams.{stream}",
            value=len(hashes),
        )


def _refuse_missing(completion: Completion, stored_chunks: StreamChunks) -> None:
    """Raise `MissingChunks` for chunks that are listed but not stored."""
    missing = {
        name: numbers
        for name, hashes in completion.streams.items()
        if (numbers := missing_numbers(hashes, stored_chunks[name]))
    }
    if missing:
        count = sum(len(numbers) for numbers in missing.values())
        raise MissingChunks(f"{count} listed chunks are not held; send them", missing=missing)


def better_offset_ms(known_ms: int | None, sender_ms: int | None) -> int | None:
    """A more exact clock offset for a stream that is completed; None to keep the known one.

    An offset includes the travel time of its request, so the smallest measurement is the best one.
    One that is far smaller comes from another device: a phone may complete what its watch recorded.

    Args:
        known_ms: how far the server's clock is ahead of the stream's, measured when it was opened.
        sender_ms: how far it is ahead of the clock of the device that completes the session.

    >>> [better_offset_ms(140, sender_ms) for sender_ms in (20, 900, 7_200_000, -7_200_000, None)]
    [20, None, None, None, None]
    >>> better_offset_ms(None, 20)
    20
    """
    if known_ms is None or sender_ms is None:
        return sender_ms if known_ms is None else None
    return sender_ms if known_ms - MAX_TRAVEL_MS <= sender_ms < known_ms else None


def missing_numbers(
    hashes: Sequence[str | None], stored_chunks: Iterable[ChunkMetadata]
) -> list[int]:
    """Numbers of a list whose body is not stored.

    >>> missing_numbers(["aa", None], [])
    [0]
    """
    end = len(hashes)
    stored = {
        chunk.seq
        for chunk in stored_chunks
        if chunk.seq < end and hashes[chunk.seq] == chunk.sha256.hex()
    }
    return [seq for seq, sha256 in enumerate(hashes) if sha256 is not None and seq not in stored]


def trimmed(hashes: Sequence[str | None]) -> list[str | None]:
    """The list without trailing empty numbers, which carry no information.

    >>> trimmed(["aa", None, "bb", None])
    ['aa', None, 'bb']
    """
    trimmed_hashes = list(hashes)
    while trimmed_hashes and trimmed_hashes[-1] is None:
        trimmed_hashes.pop()
    return trimmed_hashes
