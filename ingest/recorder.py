"""The operations on sessions, chunks, sets and plans, as one object of the service."""

from collections.abc import Mapping
from uuid import UUID

from ingest import completions, plans, sessions, sets
from ingest.chunks import Chunk
from ingest.event_writer import Cost, CostOfBytes, EventWriter
from ingest.sets import SetKey
from ingest.stored_chunks import StoredChunkNumbers, numbers_of
from ingest.uploads import Uploads
from schemas.config import Limits
from schemas.events import Completion, SessionOpening, SetConfirmation
from schemas.times import Clock
from schemas.wire import Receipt
from store.plans import Plan
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow


class Recorder:
    """Sessions, chunks, sets and plans of users. One per worker process."""

    def __init__(self, records: Records, limits: Limits, clock: Clock) -> None:
        self._writer = EventWriter(records, clock, limits)
        self._uploads = Uploads(self._writer)

    async def open_session(
        self, user_id: UUID, session_id: UUID, opening: SessionOpening
    ) -> SessionRow:
        """See `ingest.sessions.open_session`."""
        try:
            return await sessions.open_session(self._writer, user_id, session_id, opening)
        finally:
            self._uploads.forget(user_id, session_id)

    async def put_chunk(
        self, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
    ) -> Receipt:
        """See `ingest.uploads.Uploads.put`."""
        return await self._uploads.put(user_id, session_id, stream, seq, chunk)

    async def session(self, user_id: UUID, session_id: UUID) -> SessionRow:
        """One session.

        Raises:
            NotFound, Deleted: it does not exist.
        """
        return await sessions.require_session(self._writer, user_id, session_id)

    async def stored_chunk_numbers(
        self, user_id: UUID, session_id: UUID
    ) -> dict[str, StoredChunkNumbers]:
        """The stored chunks of every declared stream.

        Raises:
            NotFound, Deleted: no such session.
        """
        session = await self.session(user_id, session_id)
        return await numbers_of(self._writer.records, user_id, session)

    async def complete(
        self,
        user_id: UUID,
        session_id: UUID,
        completion: Completion,
        cost_of: CostOfBytes,
    ) -> SessionRow:
        """See `ingest.completions.complete`."""
        return await completions.complete(self._writer, user_id, session_id, completion, cost_of)

    async def delete_session(self, user_id: UUID, session_id: UUID) -> None:
        """See `ingest.sessions.delete_session`."""
        self._uploads.forget(user_id, session_id)
        await sessions.delete_session(self._writer, user_id, session_id)

    async def confirm_set(
        self,
        user_id: UUID,
        session_id: UUID,
        set_id: UUID,
        confirmation: SetConfirmation,
        if_match: int | None,
        cost: Cost,
    ) -> SetRow:
        """See `ingest.sets.confirm_set`."""
        key = SetKey(user_id, session_id, set_id)
        return await sets.confirm_set(self._writer, key, confirmation, if_match, cost)

    async def confirmed_set(self, user_id: UUID, session_id: UUID, set_id: UUID) -> SetRow:
        """One confirmed set.

        Raises:
            NotFound, Deleted: it does not exist.
        """
        return await sets.require_set(self._writer, SetKey(user_id, session_id, set_id))

    async def delete_set(
        self, user_id: UUID, session_id: UUID, set_id: UUID, if_match: int | None = None
    ) -> None:
        """See `ingest.sets.delete_set`."""
        await sets.delete_set(self._writer, SetKey(user_id, session_id, set_id), if_match)

    async def put_plan(
        self,
        user_id: UUID,
        plan_id: UUID,
        body: Mapping[str, object],
        cost_of: CostOfBytes,
    ) -> Plan:
        """See `ingest.plans.put_plan`."""
        return await plans.put_plan(self._writer, user_id, plan_id, body, cost_of)

    async def delete_plan(self, user_id: UUID, plan_id: UUID) -> None:
        """See `ingest.plans.delete_plan`."""
        await plans.delete_plan(self._writer, user_id, plan_id)
