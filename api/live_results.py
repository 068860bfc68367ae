"""Provisional answers of a live session: a guess about the last seconds, and its sets so far."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from api.classify import classify_response
from api.dependencies import Services
from api.sample_buffer import SampleBuffer
from api.set_schema import recognised_set_schema
from ingest.missing_rotation import rotation_notes, with_rotation_notes
from ingest.recognition import ModelVersions, prediction_of
from ingest.wrist_streams import WristStreams
from models.exercise.layout import layout_of_recording
from models.recognition.live import LiveSets, recognise_live
from models.recognition.sets import RecognisedSet, RecognitionModels
from models.signal.pieces import Recording
from schemas.families import EXERCISE
from schemas.times import NS_PER_S

GUESS_WINDOW_S = 8.0  # five windows of 4 s
GUESS_INTERVAL_S = 1.0  # of new samples
SETS_WINDOW_S = 150.0  # a long set and the pause before it; a longer set is kept from its start
BEFORE_SET_NS = 30 * NS_PER_S  # of rest, which tells where the set begins
SETS_INTERVAL_S = 5.0
MAX_FINISHED_SETS = 500  # sets in one connection


class LiveGuess:
    """Classifies the last seconds of a wrist; takes some tens of kilobytes."""

    def __init__(self, services: Services, user_id: UUID, wrist: WristStreams) -> None:
        self._services = services
        self._user_id = user_id
        self.buffer = SampleBuffer(wrist, GUESS_WINDOW_S, GUESS_INTERVAL_S)

    async def evaluate(self) -> dict[str, Any]:
        """The response for the last seconds, in the shape of `classify`, with their start."""
        try:
            recording, until_ns = self.buffer.recording(), self.buffer.complete_until_ns()
            layout = layout_of_recording(recording)
            ladder = await self._services.models.ladder(self._user_id, layout, EXERCISE)
            response = await asyncio.to_thread(classify_response, recording, ladder, count=False)
            windows = response.pop("windows")
            response["started_at"] = windows[0]["started_at"] if windows else None
            from_ns = min((piece.t0_ns for piece in recording.acc), default=until_ns)
            missing = rotation_notes(self.buffer.wrist, recording, from_ns, until_ns)
            response["notes"] = [*response["notes"], *missing]
            return response
        finally:
            self.buffer.finish()


class LiveSetTracker:
    """Recognises the finished sets of a live session and the current one."""

    def __init__(
        self, services: Services, user_id: UUID, session_id: UUID, wrist: WristStreams
    ) -> None:
        self._services = services
        self._user_id, self._session_id = user_id, session_id
        self.buffer = SampleBuffer(wrist, SETS_WINDOW_S, SETS_INTERVAL_S, keep_unevaluated=True)
        self._finished: list[RecognisedSet] = []  # by the present clock
        self._finished_json: list[dict[str, Any]] = []
        self._clock_resets = 0

    async def evaluate(self) -> dict[str, Any]:
        """The finished sets and the current one; samples that arrive meanwhile are included."""
        try:
            while True:
                if self._clock_resets != self.buffer.clock_resets:  # times occur a second time
                    self._clock_resets, self._finished = self.buffer.clock_resets, []
                recording, until_ns = self.buffer.recording(), self.buffer.complete_until_ns()
                versions, models = await self._services.recogniser.load_models(
                    self._user_id, layout_of_recording(recording)
                )
                live_sets = await self._services.recogniser.run_live(
                    self._user_id, self._recognise, recording, models, until_ns
                )
                begun_ns = live_sets.unfinished_from_ns
                self.buffer.hold_from(None if begun_ns is None else begun_ns - BEFORE_SET_NS)
                current = self._add(live_sets, versions)
                goes_on = self.buffer.try_start()
                if not goes_on:
                    return {"sets": self._finished_json, "current": current}
        finally:
            self.buffer.finish()

    def _recognise(
        self, recording: Recording, models: RecognitionModels, until_ns: int
    ) -> LiveSets:
        live_sets = recognise_live(recording, models, self._finished, until_ns)
        noted = partial(with_rotation_notes, self.buffer.wrist, recording, until_ns)
        current = live_sets.current
        return replace(
            live_sets,
            finished=tuple(map(noted, live_sets.finished)),
            current=current and noted(current),
        )

    def _add(self, live_sets: LiveSets, versions: ModelVersions) -> dict[str, Any] | None:
        room = MAX_FINISHED_SETS - len(self._finished_json)
        self._finished += live_sets.finished[:room]
        self._finished_json += [
            self._set_json(recognised, versions) for recognised in live_sets.finished[:room]
        ]
        return None if live_sets.current is None else self._set_json(live_sets.current, versions)

    def _set_json(self, recognised: RecognisedSet, versions: ModelVersions) -> dict[str, Any]:
        now = self._services.clock()
        prediction = prediction_of(recognised, self._user_id, self._session_id, versions, now)
        return recognised_set_schema(prediction).model_dump(mode="json")
