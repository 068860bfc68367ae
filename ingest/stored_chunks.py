"""Which chunks of a session are stored: clients ask for them, and `complete` is judged by them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ingest.chunks import NumberedChunk
from schemas.errors import EventConflict
from schemas.layout import part_of
from store.records import Records
from store.samples import ChunkMetadata
from store.sessions import SessionRow


@dataclass(frozen=True, slots=True)
class StoredChunkNumbers:
    """Which chunks of a stream are stored.

    Attributes:
        ranges: [first, last] of chunk numbers without a gap between them.
        several: numbers that hold more than one body, with the bodies' hashes.
    """

    ranges: list[list[int]]
    several: Mapping[int, list[str]]


async def numbers_of(
    records: Records, user_id: UUID, session: SessionRow
) -> dict[str, StoredChunkNumbers]:
    """The stored chunks of every declared stream."""
    chunks = await chunk_metadata(records, user_id, session.session_id, session.streams)
    return {
        name: StoredChunkNumbers(
            ranges=ranges(chunk.seq for chunk in metadata), several=conflicting_bodies(metadata)
        )
        for name, metadata in chunks.items()
    }


async def refuse_other_bodies(
    records: Records, user_id: UUID, session_id: UUID, chunks: Sequence[NumberedChunk]
) -> None:
    """Refuse a document's chunks where others have their numbers; the same ones may be sent again.

    A recorder that numbers documents, and not chunks, would store the second one upon the end of
    the first.

    Args:
        records: the repositories.
        user_id: whose session.
        session_id: which one.
        chunks: of the document.

    Raises:
        EventConflict: with the first such number, and the next one that is free in all streams.
    """
    registered = await records.samples.parts(user_id, session_id)
    stored: dict[tuple[int, str], set[bytes]] = {}
    for name in {stream for stream, _, _ in chunks}:
        known = registered.get(name, [])
        parts = {part_of(seq) for _, seq, _ in chunks}.intersection(known)
        parts.update(known[-1:])  # which tells what is free
        for one in await records.samples.metadata(user_id, session_id, name, parts):
            stored.setdefault((one.seq, name), set()).add(one.sha256)
    sent = {(seq, stream): chunk.sha256 for stream, seq, chunk in chunks}
    taken = [key for key, body in sent.items() if body not in stored.get(key, {body})]
    if taken:
        (seq, name), (last, _) = min(taken), max(sent)
        raise EventConflict(
            f"Chunk {seq} of stream {name!r} is stored with another body, and the document would "
            f"be chunks up to {last}; the next free number is {max(stored)[0] + 1}."
        )


async def chunk_metadata(
    records: Records, user_id: UUID, session_id: UUID, streams: Iterable[str]
) -> dict[str, list[ChunkMetadata]]:
    """The stored chunks of each stream, without their samples."""
    names = list(streams)
    parts = await records.samples.parts(user_id, session_id)
    pages = await asyncio.gather(
        *(records.samples.metadata(user_id, session_id, n, parts.get(n, [])) for n in names)
    )
    return dict(zip(names, pages, strict=True))


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Sorted numbers as [first, last] pairs.

    >>> ranges([0, 1, 2, 5])
    [[0, 2], [5, 5]]
    """
    pairs: list[list[int]] = []
    for number in numbers:
        if pairs and number <= pairs[-1][1] + 1:
            pairs[-1][1] = number
        else:
            pairs.append([number, number])
    return pairs


def conflicting_bodies(chunks: Iterable[ChunkMetadata]) -> dict[int, list[str]]:
    """Numbers that hold more than one body, with the bodies' hashes."""
    bodies: dict[int, list[str]] = {}
    for chunk in chunks:
        bodies.setdefault(chunk.seq, []).append(chunk.sha256.hex())
    return {seq: hashes for seq, hashes in bodies.items() if len(hashes) > 1}
