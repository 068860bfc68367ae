"""Measures confirmed sets by their samples: repetitions and form.

A set is measured at its first request, which takes a millisecond per second of samples. The result
is cached in memory, even if the caller gave up meanwhile, and is not written to the database. Its
key changes with the label, the samples and the form models, so a stale result is never used.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from api.fair_queue import FairQueue
from api.model_cache import ModelCache
from ingest.recognition import declared_layout
from ingest.recordings import CONTEXT_NS, load_parts, sample_versions
from ingest.stretches import span_of
from models.recognition.sets import FormModels, SetMeasurements, measure_set
from models.signal.corrections import timeline
from models.signal.pieces import Recording
from schemas.errors import BadSamples
from schemas.families import FORM
from store.records import Records
from store.sessions import SessionRow, StreamList, newest_revision
from store.sets import SetRow

MAX_CACHED = 2048  # sets; some kilobytes each


class _Key(NamedTuple):
    """What a measurement depends on.

    Attributes:
        samples: the newest revision of a complete session's lists; of an open one, which chunks
            there are around the set: samples of the other sensor may be on their way.
    """

    user_id: UUID
    set_id: UUID
    revision: int
    samples: int | bytes
    form_models: tuple[str, ...]


class Measurer:
    """Measures confirmed sets off the event loop, one session at a time; users take turns."""

    def __init__(self, records: Records, models: ModelCache) -> None:
        self._records = records
        self._models = models
        self._queue = FairQueue()
        self._cache: OrderedDict[_Key, SetMeasurements] = OrderedDict()

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
        lists = await self._records.sessions.lists(user_id, session.session_id)
        samples = await self._sample_versions(user_id, session, lists, sets)
        forms = await self._models.by_layout(user_id, declared_layout(session), FORM)
        versions = tuple(loaded.stored.version for loaded in forms.values())
        form_models: FormModels = {of_layout: loaded.model for of_layout, loaded in forms.items()}
        keys = {
            row.set_id: _Key(user_id, row.set_id, row.revision, samples[row.set_id], versions)
            for row in sets
        }
        if all(key in self._cache for key in keys.values()):
            return {set_id: self._cache[key] for set_id, key in keys.items()}

        async def measure_missing() -> None:
            """Measure the sets that are not cached when the turn comes."""
            unmeasured = [row for row in sets if keys[row.set_id] not in self._cache]
            results = await self._measure(user_id, session, lists, unmeasured, form_models)
            for set_id, measured in results.items():
                self._add_to_cache(keys[set_id], measured)

        await self._queue.run(user_id, measure_missing)
        return {s: self._cache[key] for s, key in keys.items() if key in self._cache}

    async def _sample_versions(
        self,
        user_id: UUID,
        session: SessionRow,
        lists: Mapping[str, StreamList],
        sets: Sequence[SetRow],
    ) -> dict[UUID, int | bytes]:
        """What changes with the samples of each set."""
        if session.complete:
            return dict.fromkeys((row.set_id for row in sets), newest_revision(lists))
        ordered = sorted(sets, key=lambda row: row.span_ns)
        spans = [row.span_ns for row in ordered]
        digests = await sample_versions(self._records, user_id, session, lists, spans, CONTEXT_NS)
        return {row.set_id: digest for row, digest in zip(ordered, digests, strict=True)}

    def _add_to_cache(self, key: _Key, measured: SetMeasurements) -> None:
        self._cache[key] = measured
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)

    async def _measure(
        self,
        user_id: UUID,
        session: SessionRow,
        lists: Mapping[str, StreamList],
        sets: Sequence[SetRow],
        form_models: FormModels,
    ) -> dict[UUID, SetMeasurements]:
        ordered = sorted(sets, key=lambda row: row.span_ns)
        spans = [row.span_ns for row in ordered]
        results: dict[UUID, SetMeasurements] = {}
        async for part, recording in load_parts(
            self._records, user_id, session, lists, spans, CONTEXT_NS
        ):
            if recording is None:
                continue  # the session's notes report it
            rows = ordered[part.start : part.stop]
            with suppress(BadSamples):  # the notes report these too
                results |= await asyncio.to_thread(_measured, recording, rows, form_models)
        return results


def _measured(
    recording: Recording, sets: Sequence[SetRow], form_models: FormModels
) -> dict[UUID, SetMeasurements]:
    line = timeline(recording)
    results = {row.set_id: measure_set(line, *span_of(row), form_models) for row in sets}
    return {set_id: measured for set_id, measured in results.items() if measured is not None}
