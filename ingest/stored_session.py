"""One session of a user as it is stored: its row, its lists, and where its chunks are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from uuid import UUID

from ingest.chunk_selection import counted_chunks
from ingest.wrist_streams import WristStreams, wrist_of
from store.records import Records
from store.samples import ChunkMetadata, SampleRow
from store.sessions import SessionRow, StreamList, newest_revision


@dataclass(frozen=True)
class StoredSession:
    """A session of a user as it was read, and where the rest of it is.

    Attributes:
        records: the repositories.
        user_id: whose session.
        session: its row.
        lists: of its streams, those that have one.
    """

    records: Records
    user_id: UUID
    session: SessionRow
    lists: Mapping[str, StreamList]

    @property
    def key(self) -> tuple[UUID, UUID]:
        """Ids of the user and of the session: all its rows are under them."""
        return self.user_id, self.session.session_id

    @cached_property
    def wrist(self) -> WristStreams:
        """The streams that training and answers use."""
        return wrist_of(self.session.streams)

    @property
    def wrist_offset(self) -> timedelta:
        """How far the server's clock is ahead of the wrist's; zero if it is not known."""
        return self.session.offset(next(iter(self.wrist.acc), None))

    @property
    def lists_revision(self) -> int:
        """The newest revision of its lists; 0 if there are none."""
        return newest_revision(self.lists)

    async def parts(self) -> dict[str, list[int]]:
        """The parts of every stream that are registered now, in order."""
        return await self.records.samples.parts(*self.key)

    async def metadata(self, stream: str, parts: Iterable[int]) -> list[ChunkMetadata]:
        """All chunks in parts of a stream, without their samples."""
        return await self.records.samples.metadata(*self.key, stream, parts)

    async def counted(self, stream: str, parts: Iterable[int]) -> list[ChunkMetadata]:
        """The chunks in parts of a stream that count: the listed ones, or all without a list."""
        return counted_chunks(await self.metadata(stream, parts), self.lists.get(stream))

    async def rows(self, stream: str, chunks: Iterable[ChunkMetadata]) -> list[SampleRow]:
        """The samples of chunks of a stream, in the order of `chunks`."""
        wanted = [(chunk.seq, chunk.sha256) for chunk in chunks]
        return await self.records.samples.rows(*self.key, stream, wanted)


async def with_lists(records: Records, user_id: UUID, session: SessionRow) -> StoredSession:
    """A session that was read, with its lists as they are now."""
    lists = await records.sessions.lists(user_id, session.session_id)
    return StoredSession(records, user_id, session, lists)


async def find_session(records: Records, user_id: UUID, session_id: UUID) -> StoredSession | None:
    """A session as it is now; None where it does not exist."""
    session = await records.sessions.read(user_id, session_id)
    return None if session is None else await with_lists(records, user_id, session)
