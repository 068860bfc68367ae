"""Measures confirmed sets by their samples: repetitions and form.

A set is measured at its first request, which takes a millisecond per second of samples. The result
is cached in memory, even if the caller gave up meanwhile, and is not written to the database. Its
key changes with the label, the lists and the form models. Samples of an open session come without a
list: a set that lacks some is measured again after `RECHECK_S`.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from api.fair_queue import FairQueue
from api.model_cache import ModelCache
from ingest.bounded_cache import BoundedCache
from ingest.labelled_sets import has_all_samples
from ingest.recognition import declared_layout
from ingest.recordings import CONTEXT_NS, load_portions
from ingest.stored_session import StoredSession, with_lists
from ingest.stretches import span_of
from ingest.wrist_streams import WristStreams
from models.recognition.sets import FormModels, SetMeasurements, measure_set
from models.signal.pieces import Recording
from models.signal.timeline import timeline
from schemas.errors import BadSamples
from schemas.families import FORM
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow

MAX_CACHED = 2048  # sets; some kilobytes each
RECHECK_S = 5.0
"""How long a measurement counts while samples of the set may be on their way."""


class _Key(NamedTuple):
    """What a measurement depends on.

    Attributes:
        lists: the newest revision of the session's lists.
        complete: whether the session was: a stream without a list may begin afterwards.
        wrist: the streams that are measured; another device may declare more.
    """

    user_id: UUID
    set_id: UUID
    revision: int
    lists: int
    complete: bool
    wrist: WristStreams
    form_models: tuple[str, ...]


class _Measured(NamedTuple):
    """A measurement, None without samples, and whether no more of them are expected."""

    measurements: SetMeasurements | None
    is_whole: bool


_NOTHING = _Measured(None, is_whole=False)


class _Cached(NamedTuple):
    """A measurement, None without samples, and the monotonic time until which it counts, s."""

    measurements: SetMeasurements | None
    until_s: float


class Measurer:
    """Measures confirmed sets off the event loop, one session at a time; users take turns."""

    def __init__(
        self, records: Records, models: ModelCache, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._records = records
        self._models = models
        self._clock = clock
        self._queue = FairQueue()
        self._cache = BoundedCache[_Key, _Cached](MAX_CACHED)

    async def of_sets(
        self, user_id: UUID, session: SessionRow, sets: Sequence[SetRow]
    ) -> dict[UUID, SetMeasurements]:
        """Measurements of a session's sets; sets without stored samples are left out.

        Raises:
            DatabaseUnavailable: samples or a form model cannot be read.
            Retryable: too many sessions of this user wait for their turn.
        """
        if not sets:
            return {}
        stored = await with_lists(self._records, user_id, session)
        forms = await self._models.by_layout(user_id, declared_layout(session), FORM)
        versions = tuple(loaded.stored.version for loaded in forms.values())
        form_models: FormModels = {of_layout: loaded.model for of_layout, loaded in forms.items()}
        state = stored.lists_revision, session.complete, stored.wrist
        keys = {
            row.set_id: _Key(user_id, row.set_id, row.revision, *state, versions) for row in sets
        }

        async def measure_missing() -> None:
            """Measure the sets that are not cached when the turn comes."""
            unmeasured = [row for row in sets if not self._is_current(keys[row.set_id])]
            results = await _measure(stored, unmeasured, form_models)
            recheck_s = self._clock() + RECHECK_S
            for row in unmeasured:
                measured = results.get(row.set_id, _NOTHING)
                until_s = math.inf if measured.is_whole else recheck_s
                self._cache[keys[row.set_id]] = _Cached(measured.measurements, until_s)

        if not all(map(self._is_current, keys.values())):
            await self._queue.run(user_id, measure_missing)
        cached = {set_id: self._cache.get(key) for set_id, key in keys.items()}
        return {
            set_id: of_set.measurements
            for set_id, of_set in cached.items()
            if of_set and of_set.measurements
        }

    def _is_current(self, key: _Key) -> bool:
        """Whether a set was measured, and need not be again."""
        cached = self._cache.get(key)
        return cached is not None and self._clock() < cached.until_s


async def _measure(
    stored: StoredSession, sets: Sequence[SetRow], form_models: FormModels
) -> dict[UUID, _Measured]:
    """Measure sets of a session, those whose samples can be read."""
    ordered = sorted(sets, key=lambda row: row.span_ns)
    spans = [row.span_ns for row in ordered]
    results: dict[UUID, _Measured] = {}
    complete = stored.session.complete
    finished = complete, complete or not stored.wrist.gyro
    async for portion, recording in load_portions(stored, spans, CONTEXT_NS):
        if recording is None:
            continue  # the session's notes report it
        rows = ordered[portion.start : portion.stop]
        with suppress(BadSamples):  # the notes report these too
            results |= await asyncio.to_thread(_measured, recording, rows, form_models, finished)
    return results


def _measured(
    recording: Recording,
    sets: Sequence[SetRow],
    form_models: FormModels,
    finished: tuple[bool, bool],
) -> dict[UUID, _Measured]:
    """Measure sets; `finished`: whether no more is expected of (acceleration, rotation)."""
    line = timeline(recording)
    return {
        row.set_id: _Measured(
            measure_set(line, *span_of(row), form_models),
            is_whole=has_all_samples(line.cut(*row.span_ns), row, finished),
        )
        for row in sets
    }
