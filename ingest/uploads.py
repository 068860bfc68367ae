"""Stores uploaded chunks: the hot path, one write per chunk without locks or reads."""

from collections.abc import Mapping
from uuid import UUID

from ingest.checks import bad
from ingest.chunks import Chunk
from ingest.event_writer import EventWriter
from ingest.projections import reopen
from ingest.sample_rows import row_of
from ingest.sessions import require_session
from ingest.ttl_cache import TtlCache
from schemas.errors import NotFound
from schemas.layout import part_of
from schemas.topics import SAMPLES
from schemas.wire import SEQ_MAX, Receipt

SESSION_TTL_S = 5.0
PART_TTL_S = 60.0
"""How long a worker caches that a part is registered; it is announced again afterwards. Shorter
than the sweeper looks back, so that the sweeper finds every set whose samples arrived after it."""

Streams = Mapping[str, Mapping[str, str | None]]


class Uploads:
    """Writes chunks; caches the sessions and parts that this worker has seen."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._streams: TtlCache[tuple[UUID, UUID], Streams] = TtlCache(SESSION_TTL_S)
        self._parts: TtlCache[tuple[UUID, UUID, str, int], bool] = TtlCache(PART_TTL_S)

    async def put(
        self, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
    ) -> Receipt:
        """Store a chunk; it is durable when this returns.

        Raises:
            NotFound, Deleted: no such session or stream.
            BadChunk: a number out of range, or a unit that is not the stream's.
        """
        if not 0 <= seq <= SEQ_MAX:
            raise bad("seq", seq, f"must lie between 0 and {SEQ_MAX}")
        streams = self._streams.get((user_id, session_id))
        if streams is None or stream not in streams:
            streams = await self._declared(user_id, session_id, stream)
        unit, declared = chunk.piece.unit, streams[stream]
        if unit != declared["unit"]:
            raise bad("unit", unit, f"stream {stream!r} is declared in {declared['unit']!r}")
        part = part_of(seq)
        if self._parts.get((user_id, session_id, stream, part)) is None:
            await self._parts.load(
                (user_id, session_id, stream, part),
                lambda: self._register(user_id, session_id, stream, part),
            )
        row = row_of(chunk, seq, self._writer.now_us())
        await self._writer.records.samples.put(user_id, session_id, stream, row)
        return Receipt(
            session=str(session_id),
            stream=stream,
            seq=seq,
            samples=row.n,
            sha256=chunk.sha256.hex(),
            quantum=chunk.quantum,
        )

    def forget(self, user_id: UUID, session_id: UUID) -> None:
        """Drop a session from the cache: this worker changed it."""
        self._streams.forget((user_id, session_id))

    async def _declared(self, user_id: UUID, session_id: UUID, stream: str) -> Streams:
        """The session's streams, including this one."""
        for _ in range(2):  # a look-up that others began may be older than this stream
            streams = await self._streams.load(
                (user_id, session_id), lambda: self._read(user_id, session_id)
            )
            if stream in streams:
                return streams
        raise NotFound(
            f"Session {session_id} has no stream {stream!r}; open the session again with it."
        )

    async def _read(self, user_id: UUID, session_id: UUID) -> Streams:
        return (await require_session(self._writer, user_id, session_id)).streams

    async def _register(self, user_id: UUID, session_id: UUID, stream: str, part: int) -> bool:
        records = self._writer.records
        await records.changes.announce(user_id, SAMPLES, self._writer.now_us())
        await records.samples.register_part(user_id, session_id, stream, part)
        # A deletion deletes the session first and then reads its parts. So if the session still
        # exists, a later deletion will find this part; otherwise nothing may be written to it.
        session = await require_session(self._writer, user_id, session_id)
        if session.complete:
            await reopen(records, user_id, session_id, self._writer.now_us())
        return True
