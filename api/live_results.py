"""Provisional answers of a live session: a guess about the last seconds, and its sets so far."""

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from api.classify import classify_response
from api.dependencies import Services
from api.sets import recognised_set_schema
from ingest.recognition import ModelVersions, prediction_of
from ingest.recordings import WristStreams
from models.exercise.layout import model_id
from models.recognition.live import LiveSets, recognise_live
from models.recognition.sets import RecognisedSet, RecognitionModels
from models.signal.pieces import Piece, Recording
from schemas.families import EXERCISE
from schemas.times import NS_PER_S

GUESS_WINDOW_S = 8.0  # five windows of 4 s
GUESS_INTERVAL_S = 1.0  # of new samples
SETS_WINDOW_S = 150.0  # a long set and the pause before it
SETS_INTERVAL_S = 5.0
MAX_SAMPLES = 60_000  # of a stream, 360 kB: devices may claim a thousand a second
MAX_SPAN_S = 3600.0  # of a stream: devices may claim one a second, all of which becomes 50 Hz
MAX_FINISHED_SETS = 500  # sets in one connection


class SampleBuffer:
    """Buffers the newest samples of a wrist, and tells when an evaluation is due.

    Args:
        wrist: its streams.
        window_s: how many seconds are kept, back from the newest sample.
        interval_s: seconds of new samples after which the next evaluation is due.
        keep_unevaluated: whether to keep older samples until they were evaluated: a phone that
            reconnects sends minutes at once.
    """

    def __init__(
        self,
        wrist: WristStreams,
        window_s: float,
        interval_s: float,
        *,
        keep_unevaluated: bool = False,
    ) -> None:
        self._wrist = wrist
        self._window_ns, self._interval_ns = window_s * NS_PER_S, interval_s * NS_PER_S
        self._kept_from_ns = 0 if keep_unevaluated else None
        self._pieces: dict[str, deque[Piece]] = {
            name: deque() for name in (wrist.acc, wrist.gyro) if name is not None
        }
        self._being_stored: list[tuple[str, int]] = []
        self._evaluated_until_ns = 0
        self._evaluating = False

    @contextmanager
    def storing(self, stream: str, piece: Piece) -> Generator[None]:
        """Mark a piece as being stored: until the block ends it counts as a gap.

        Later pieces may be stored sooner; they count only when the block ends. Add the piece right
        after that.
        """
        start = (stream, piece.t0_ns)
        self._being_stored.append(start)
        try:
            yield
        finally:
            self._being_stored.remove(start)

    def add(self, stream: str, piece: Piece) -> bool:
        """Add samples; True when an evaluation is due, which `finish` ends."""
        pieces = self._pieces.get(stream)
        if pieces is None:
            return False
        pieces.append(piece)
        newest_ns = max(piece.end_ns for piece in pieces)
        needed_ns = newest_ns if self._kept_from_ns is None else min(newest_ns, self._kept_from_ns)
        samples = sum(len(piece.counts) for piece in pieces)
        while pieces and (
            pieces[0].end_ns < needed_ns - self._window_ns
            or samples > MAX_SAMPLES
            or pieces[0].t0_ns < newest_ns - MAX_SPAN_S * NS_PER_S
        ):
            samples -= len(pieces.popleft().counts)
        return not self._evaluating and self.start_if_due()

    def start_if_due(self) -> bool:
        """Whether enough samples arrived since the last evaluation; if so, start one."""
        until_ns = self.complete_until_ns()
        self._evaluating = until_ns >= self._evaluated_until_ns + self._interval_ns
        self._evaluated_until_ns = until_ns if self._evaluating else self._evaluated_until_ns
        return self._evaluating

    def finish(self) -> None:
        """End the evaluation."""
        self._evaluating = False

    def complete_until_ns(self) -> int:
        """Up to when the samples of all sensors of the wrist are complete, ns."""
        ends = [
            max((piece.end_ns for piece in pieces), default=0) for pieces in self._pieces.values()
        ]
        gaps = [t0_ns for stream, t0_ns in self._being_stored if stream in self._pieces]
        return int(min([*ends, *gaps], default=0))

    def recording(self) -> Recording:
        """The buffered samples in time order; from now on they count as evaluated."""
        if self._kept_from_ns is not None:
            self._kept_from_ns = self.complete_until_ns()

        def sorted_pieces(name: str | None) -> tuple[Piece, ...]:
            """The pieces of a stream by start; none where the wrist lacks that sensor (None)."""
            pieces = self._pieces.get(name, ()) if name is not None else ()
            return tuple(sorted(pieces, key=lambda piece: piece.t0_ns))

        return Recording(
            sorted_pieces(self._wrist.acc), sorted_pieces(self._wrist.gyro), self._wrist.side
        )


class LiveGuess:
    """Classifies the last seconds of a wrist; takes some tens of kilobytes."""

    def __init__(self, services: Services, user_id: UUID, wrist: WristStreams) -> None:
        self._services = services
        self._user_id = user_id
        self.buffer = SampleBuffer(wrist, GUESS_WINDOW_S, GUESS_INTERVAL_S)

    async def evaluate(self) -> dict[str, Any]:
        """The response for the last seconds, in the shape of `classify`, with their start."""
        try:
            recording = self.buffer.recording()
            layout = model_id(recording)
            ladder = await self._services.models.ladder(self._user_id, layout, EXERCISE)
            response = await asyncio.to_thread(classify_response, recording, ladder, count=False)
            windows = response.pop("windows")
            response["started_at"] = windows[0]["started_at"] if windows else None
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
        self._finished: list[RecognisedSet] = []
        self._finished_json: list[dict[str, Any]] = []

    async def evaluate(self) -> dict[str, Any]:
        """The finished sets and the current one; samples that arrive meanwhile are included."""
        try:
            while True:
                recording, until_ns = self.buffer.recording(), self.buffer.complete_until_ns()
                versions, models = await self._services.recogniser.load_models(
                    self._user_id, model_id(recording)
                )
                live_sets = await self._services.recogniser.run_live(
                    self._user_id, self._recognise, recording, models, until_ns
                )
                current = self._add(live_sets, versions)
                if not self.buffer.start_if_due():
                    return {"sets": self._finished_json, "current": current}
        finally:
            self.buffer.finish()

    def _recognise(
        self, recording: Recording, models: RecognitionModels, until_ns: int
    ) -> LiveSets:
        return recognise_live(recording, models, self._finished, until_ns)

    def _add(self, live_sets: LiveSets, versions: ModelVersions) -> dict[str, Any] | None:
        room = MAX_FINISHED_SETS - len(self._finished)
        self._finished += live_sets.finished[:room]
        self._finished_json += [
            self._set_json(recognised, versions) for recognised in live_sets.finished[:room]
        ]
        return None if live_sets.current is None else self._set_json(live_sets.current, versions)

    def _set_json(self, recognised: RecognisedSet, versions: ModelVersions) -> dict[str, Any]:
        now = self._services.clock()
        prediction = prediction_of(recognised, self._user_id, self._session_id, versions, now)
        return recognised_set_schema(prediction).model_dump(mode="json")
