"""Provisional answers of a live session: a guess about the last seconds, and its sets so far."""

import asyncio
from bisect import insort
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from api.classify import classify_response
from api.dependencies import Services
from api.sets import recognised_set_schema
from ingest.clocks import MIN_CLOCK_STEP_NS
from ingest.missing_rotation import rotation_notes, with_rotation_notes
from ingest.recognition import ModelVersions, prediction_of
from ingest.wrist_streams import WristStreams, in_turn
from models.exercise.layout import model_id
from models.recognition.live import LiveSets, recognise_live
from models.recognition.sets import RecognisedSet, RecognitionModels
from models.signal.pieces import Piece, Recording
from schemas.times import NS_PER_S

GUESS_WINDOW_S = 8.0  # five windows of 4 s
GUESS_INTERVAL_S = 1.0  # of new samples
SETS_WINDOW_S = 150.0  # a long set and the pause before it
SETS_INTERVAL_S = 5.0
MAX_SAMPLES = 60_000  # of a stream, 360 kB: devices may claim a thousand a second
MAX_SPAN_S = 3600.0  # of a stream: devices may claim one a second, all of which becomes 50 Hz
MAX_FINISHED_SETS = 500  # sets in one connection
MAX_LATE_S = 4.0
"""How far rotation may be behind acceleration before this is evaluated alone. The newest chunk of
acceleration does not count: that of rotation may be on its way."""
FAMILY = "exercise"


class SampleBuffer:
    """Buffers the newest samples of a wrist, and tells when an evaluation is due.

    Args:
        wrist: its streams.
        window_s: how many seconds are kept, back from the newest sample.
        interval_s: seconds of new samples after which the next evaluation is due.
        keep_unevaluated: whether to keep older samples until they were evaluated: a phone that
            reconnects sends minutes at once.

    Attributes:
        wrist: the streams that it buffers.
        clock_resets: how often the device's clock was set back, which empties the buffer.
    """

    def __init__(
        self,
        wrist: WristStreams,
        window_s: float,
        interval_s: float,
        *,
        keep_unevaluated: bool = False,
    ) -> None:
        self._window_ns, self._interval_ns = window_s * NS_PER_S, interval_s * NS_PER_S
        self._kept_from_ns = 0 if keep_unevaluated else None
        self._pieces: dict[str, deque[tuple[str, Piece]]] = {"acc": deque(), "gyro": deque()}
        self._newest: dict[str, tuple[int, int]] = {}  # number and start of each stream's last one
        self._being_stored: list[tuple[str, int]] = []
        self._began_ns: int | None = None
        self._evaluated_until_ns = 0
        self._evaluating = False
        self.clock_resets = 0
        self.use(wrist)

    def use(self, wrist: WristStreams) -> None:
        """Buffer these streams from now on; samples of others are dropped."""
        self.wrist = wrist
        self._sensors = {**dict.fromkeys(wrist.acc, "acc"), **dict.fromkeys(wrist.gyro, "gyro")}
        for sensor, pieces in self._pieces.items():
            kept = [heard for heard in pieces if self._sensors.get(heard[0]) == sensor]
            self._pieces[sensor] = deque(kept)

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

    def add(self, stream: str, seq: int, piece: Piece) -> bool:
        """Add the samples of chunk `seq`; True when an evaluation is due, which `finish` ends."""
        sensor = self._sensors.get(stream)
        if sensor is None:
            return False
        self._forget_former_clock(stream, seq, piece)
        if sensor == "acc" and self._began_ns is None:
            self._began_ns = piece.t0_ns
        pieces = self._pieces[sensor]
        insort(pieces, (stream, piece), key=_start_ns)
        newest_ns = max(piece.end_ns for _, piece in pieces)
        needed_ns = newest_ns if self._kept_from_ns is None else min(newest_ns, self._kept_from_ns)
        samples = sum(len(piece.counts) for _, piece in pieces)
        while pieces and (
            pieces[0][1].end_ns < needed_ns - self._window_ns
            or samples > MAX_SAMPLES
            or _start_ns(pieces[0]) < newest_ns - MAX_SPAN_S * NS_PER_S
        ):
            samples -= len(pieces.popleft()[1].counts)
        return not self._evaluating and self.start_if_due()

    def _forget_former_clock(self, stream: str, seq: int, piece: Piece) -> None:
        """Empty the buffer if numbers go on while times go back: nothing new would ever be due."""
        last_seq, last_ns = self._newest.get(stream, (-1, piece.t0_ns))
        if seq <= last_seq:
            return  # sent again, or late
        if piece.t0_ns < last_ns - MIN_CLOCK_STEP_NS:
            self._newest.clear()
            for pieces in self._pieces.values():
                pieces.clear()
            self._kept_from_ns = None if self._kept_from_ns is None else 0
            self._began_ns, self._evaluated_until_ns = None, 0
            self.clock_resets += 1
        self._newest[stream] = (seq, piece.t0_ns)

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
        """Up to when the samples are complete, ns, except for rotation that is late."""
        sensors = {"acc"} if self._is_rotation_late() else {"acc", *self._sensors.values()}
        ends = [self._end_ns(sensor) for sensor in sensors]
        gaps = [t0_ns for sensor in sensors for t0_ns in self._gaps_ns(sensor)]
        return int(min([*ends, *gaps]))

    def _is_rotation_late(self) -> bool:
        """Whether rotation is not waited for: it was switched off, or is held up on the way."""
        acc = self._pieces["acc"]
        if not acc or self._began_ns is None:
            return False
        reached_ns = max(self._began_ns, self._end_ns("gyro"), *self._gaps_ns("gyro"))
        return _start_ns(acc[-1]) - reached_ns > MAX_LATE_S * NS_PER_S

    def _end_ns(self, sensor: str) -> int:
        """The end of the newest sample of a sensor; 0 without any."""
        return max((piece.end_ns for _, piece in self._pieces[sensor]), default=0)

    def _gaps_ns(self, sensor: str) -> list[int]:
        """Where the pieces of a sensor that are being stored begin."""
        return [
            t0_ns for stream, t0_ns in self._being_stored if self._sensors.get(stream) == sensor
        ]

    def recording(self) -> Recording:
        """The buffered samples in time order; from now on they count as evaluated."""
        if self._kept_from_ns is not None:
            self._kept_from_ns = self.complete_until_ns()
        acc, gyro = self._in_turn("acc"), self._in_turn("gyro")
        began_ns = acc[0].t0_ns if acc else 0
        gyro = tuple(piece for piece in gyro if piece.end_ns > began_ns)  # not from before a pause
        return Recording(acc, gyro, self.wrist.side)

    def _in_turn(self, sensor: str) -> tuple[Piece, ...]:
        """The pieces of a sensor's streams that are read as one recording."""
        spans: dict[str, list[tuple[int, int]]] = {}
        for stream, piece in self._pieces[sensor]:
            spans.setdefault(stream, []).append((piece.t0_ns, piece.end_ns))
        kept = in_turn(dict(sorted(spans.items())))
        return tuple(piece for stream, piece in self._pieces[sensor] if stream in kept)


def _start_ns(heard: tuple[str, Piece]) -> int:
    return heard[1].t0_ns


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
            layout = model_id(recording)
            ladder = await self._services.models.ladder(self._user_id, layout, FAMILY)
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
        live_sets = recognise_live(recording, models, self._finished, until_ns)
        noted = partial(with_rotation_notes, self.buffer.wrist, recording, until_ns)
        current = live_sets.current
        return LiveSets(tuple(map(noted, live_sets.finished)), current and noted(current))

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
