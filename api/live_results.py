"""What a live session looks like while it goes on: a running guess, and its sets."""

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from api.classify import answer_of
from api.dependencies import Services
from api.sets import recognised_shape
from ingest.recognition import ModelVersions, prediction_of
from ingest.recordings import WristStreams
from models.exercise.layout import model_id
from models.recognition.live import LiveSets, recognise_live
from models.recognition.sets import RecognisedSet, RecognitionModels
from models.signal.pieces import Piece, Recording
from schemas.times import NS_PER_S

LOOK_BACK_S = 8.0  # five windows of 4 s
EVERY_S = 1.0  # of new samples
SETS_BACK_S = 150.0  # a long set and the pause before it
SETS_EVERY_S = 5.0
MAX_SAMPLES = 60_000  # of a stream, 360 kB: devices may claim a thousand a second
REACH_S = 3600.0  # of a stream: or one a second, and all of it becomes 50 Hz
MAX_FINISHED_SETS = 500  # sets in one connection
FAMILY = "exercise"


class SampleBuffer:
    """Keeps the newest samples of a wrist, and says when there are enough new ones.

    Args:
        wrist: its streams.
        back_s: how many seconds are kept, back from the newest sample.
        every_s: seconds of new samples after which it is time for another look.
        unseen: whether to keep older samples, too, until a look has seen them: a phone that comes
            back sends minutes at once.
    """

    def __init__(
        self, wrist: WristStreams, back_s: float, every_s: float, *, unseen: bool = False
    ) -> None:
        self._wrist = wrist
        self._back_ns, self._every_ns = back_s * NS_PER_S, every_s * NS_PER_S
        self._seen_ns = 0 if unseen else None
        self._pieces: dict[str, deque[Piece]] = {
            name: deque() for name in (wrist.acc, wrist.gyro) if name is not None
        }
        self._awaited: list[tuple[str, int]] = []
        self._said_ns = 0
        self._busy = False

    @contextmanager
    def awaiting(self, stream: str, piece: Piece) -> Generator[None]:
        """Mark a piece as being kept: until the block ends it is a hole in what was heard.

        Pieces behind it may be kept sooner. They count as heard when the block ends; add the piece
        at once then.
        """
        awaited = (stream, piece.t0_ns)
        self._awaited.append(awaited)
        try:
            yield
        finally:
            self._awaited.remove(awaited)

    def add(self, stream: str, piece: Piece) -> bool:
        """Take samples; True when it is time to look, which `done` ends."""
        kept = self._pieces.get(stream)
        if kept is None:
            return False
        kept.append(piece)
        newest_ns = max(one.end_ns for one in kept)
        needed_ns = newest_ns if self._seen_ns is None else min(newest_ns, self._seen_ns)
        samples = sum(len(one.counts) for one in kept)
        while kept and (
            kept[0].end_ns < needed_ns - self._back_ns
            or samples > MAX_SAMPLES
            or kept[0].t0_ns < newest_ns - REACH_S * NS_PER_S
        ):
            samples -= len(kept.popleft().counts)
        return not self._busy and self.due()

    def due(self) -> bool:
        """Whether enough was heard since the last look; if so the next begins, until `done`."""
        heard_ns = self.heard_ns()
        self._busy = heard_ns >= self._said_ns + self._every_ns
        self._said_ns = heard_ns if self._busy else self._said_ns
        return self._busy

    def done(self) -> None:
        """The look is over."""
        self._busy = False

    def heard_ns(self) -> int:
        """Up to when each sensor of the wrist was heard without a hole, ns: a look needs all."""
        ends = [max((one.end_ns for one in kept), default=0) for kept in self._pieces.values()]
        holes = [t0_ns for stream, t0_ns in self._awaited if stream in self._pieces]
        return int(min([*ends, *holes], default=0))

    def recording(self) -> Recording:
        """The samples that are kept, in order of time; from now on they count as seen."""
        if self._seen_ns is not None:
            self._seen_ns = self.heard_ns()

        def sorted_pieces(name: str | None) -> tuple[Piece, ...]:
            """The pieces of a stream by start; none where the wrist lacks that sensor (None)."""
            kept = self._pieces.get(name, ()) if name is not None else ()
            return tuple(sorted(kept, key=lambda piece: piece.t0_ns))

        return Recording(
            sorted_pieces(self._wrist.acc), sorted_pieces(self._wrist.gyro), self._wrist.side
        )


class LiveGuess:
    """Says what the last seconds of a wrist are; some tens of kilobytes."""

    def __init__(self, services: Services, user_id: UUID, wrist: WristStreams) -> None:
        self._services = services
        self._user_id = user_id
        self.last = SampleBuffer(wrist, LOOK_BACK_S, EVERY_S)

    def add(self, stream: str, piece: Piece) -> bool:
        """Take samples; True when it is time for a guess."""
        return self.last.add(stream, piece)

    async def answer(self) -> dict[str, Any]:
        """What the last seconds are, in the shape of classify and with the time that is meant."""
        try:
            recording = self.last.recording()
            layout = model_id(recording)
            ladder = await self._services.models.ladder(self._user_id, layout, FAMILY)
            shape = await asyncio.to_thread(answer_of, recording, ladder, count=False)
            windows = shape.pop("windows")
            shape["started_at"] = windows[0]["started_at"] if windows else None
            return shape
        finally:
            self.last.done()


class LiveSets:
    """Says which sets a live session holds so far, and which one is being done."""

    def __init__(
        self, services: Services, user_id: UUID, session_id: UUID, wrist: WristStreams
    ) -> None:
        self._services = services
        self._user_id, self._session_id = user_id, session_id
        self.last = SampleBuffer(wrist, SETS_BACK_S, SETS_EVERY_S, unseen=True)
        self._finished: list[RecognisedSet] = []
        self._shapes: list[dict[str, Any]] = []

    def add(self, stream: str, piece: Piece) -> bool:
        """Take samples; True when it is time to look for sets."""
        return self.last.add(stream, piece)

    async def answer(self) -> dict[str, Any]:
        """The sets that are over and the current one; what came in meanwhile is seen as well."""
        try:
            while True:
                recording, heard_ns = self.last.recording(), self.last.heard_ns()
                asked, learned = await self._services.recogniser.learned_for(
                    self._user_id, model_id(recording)
                )
                found = await self._services.recogniser.in_turn(
                    self._user_id, self._look, recording, learned, heard_ns
                )
                current = self._keep(found, asked)
                if not self.last.due():
                    return {"sets": self._shapes, "current": current}
        finally:
            self.last.done()

    def _look(self, recording: Recording, models: RecognitionModels, heard_ns: int) -> LiveSets:
        return recognise_live(recording, models, self._told, heard_ns)

    def _keep(self, found: LiveSets, asked: ModelVersions) -> dict[str, Any] | None:
        room = TOLD_AT_MOST - len(self._told)
        self._told += found.finished[:room]
        self._shapes += [self._shape(one, asked) for one in found.finished[:room]]
        return None if found.current is None else self._shape(found.current, asked)

    def _shape(self, one: RecognisedSet, asked: ModelVersions) -> dict[str, Any]:
        now = self._services.clock()
        kept = prediction_of(one, self._user_id, self._session_id, asked, now)
        return recognised_shape(kept).model_dump(mode="json")
