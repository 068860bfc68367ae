"""What the samples say of confirmed sets: repetitions and form beside the person's own word.

A set is measured when somebody first asks for it, which takes a millisecond for each of its
seconds. The result stays in memory, even when the caller gave up meanwhile, and is not written to
the database. Its key changes with the label, the samples and the book of form, so that no result
outlives what it was computed from.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from api.fair_queue import FairQueue
from api.model_cache import LoadedModel, ModelCache
from ingest.recordings import load_recording
from ingest.stretches import span_of
from models.recognition.sets import SetMeasurements, measure_set
from models.signal.pieces import Recording
from models.signal.truth import timeline
from schemas.errors import AmbiguousChunks, BadSamples
from store.records import Records
from store.sessions import SessionRow, newest_revision
from store.sets import SetRow

FAMILY = "form"
MAX_CACHED = 2048  # sets; some kilobytes each


class _Key(NamedTuple):
    """What the numbers of a set depend on; `samples` is the newest list of its streams."""

    user_id: UUID
    set_id: UUID
    revision: int
    samples: int
    book: str


class Measurer:
    """Measures confirmed sets off the event loop, one session at a time; users take turns."""

    def __init__(self, records: Records, models: ModelCache) -> None:
        self._records = records
        self._models = models
        self._queue = FairQueue()
        self._known: OrderedDict[_Key, SetMeasurements] = OrderedDict()

    async def of_sets(
        self, user_id: UUID, session: SessionRow, sets: Sequence[SetRow], layout: str
    ) -> dict[UUID, SetMeasurements]:
        """What the samples say of a session's sets; those whose samples are not in are left out.

        Args:
            user_id: whose.
            session: of the sets.
            sets: as confirmed.
            layout: of the session, decides which book of form is read.

        Raises:
            DatabaseUnavailable: samples or the book cannot be read.
            Retryable: too many sessions of this user wait for their turn.
        """
        if not sets:
            return {}
        lists = await self._records.sessions.lists(user_id, session.session_id)
        samples = newest_revision(lists)
        book = await self._models.find(user_id, layout, FAMILY)
        version = book.stored.version if book else ""
        keys = {
            one.set_id: _Key(user_id, one.set_id, one.revision, samples, version) for one in sets
        }
        if all(key in self._known for key in keys.values()):
            return {set_id: self._known[key] for set_id, key in keys.items()}

        async def measure_others() -> None:
            """Measure what is not known by the time that the turn comes."""
            missing = [one for one in sets if keys[one.set_id] not in self._known]
            for set_id, measured in (await self._measure(user_id, session, missing, book)).items():
                self._remember(keys[set_id], measured)

        await self._queue.run(user_id, measure_others)
        return {s: self._known[key] for s, key in keys.items() if key in self._known}

    def _remember(self, key: _Key, measured: SetMeasurements) -> None:
        self._known[key] = measured
        while len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)

    async def _measure(
        self, user_id: UUID, session: SessionRow, sets: Sequence[SetRow], book: LoadedModel | None
    ) -> dict[UUID, SetMeasurements]:
        if not sets:
            return {}
        spans = [span_of(one) for one in sets]
        start_ns, end_ns = min(a for a, _, _ in spans), max(b for _, b, _ in spans)
        try:
            recording = await load_recording(
                self._records, user_id, session.session_id, start_ns, end_ns
            )
            return await asyncio.to_thread(_measured, recording, sets, book)
        except (AmbiguousChunks, BadSamples):
            return {}  # the session's notes and dead letters say so


def _measured(
    recording: Recording, sets: Sequence[SetRow], book: LoadedModel | None
) -> dict[UUID, SetMeasurements]:
    line = timeline(recording)
    found = {
        one.set_id: measure_set(line, *span_of(one), book.model if book else None) for one in sets
    }
    return {set_id: measured for set_id, measured in found.items() if measured is not None}
