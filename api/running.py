"""The running guess of a live session: what the last seconds look like."""

import asyncio
from collections import deque
from typing import Any
from uuid import UUID

from api.classify import answer_of
from api.dependencies import Services
from ingest.recordings import Wrist
from models.exercise.layout import model_id
from models.signal.pieces import Piece, Recording

LOOK_BACK_S = 8.0  # five windows of 4 s
EVERY_S = 1.0  # of new samples
FAMILY = "exercise"
NS = 1e9


class RunningGuess:
    """Keeps the last seconds of a wrist and says what they are; some tens of kilobytes."""

    def __init__(self, services: Services, user_id: UUID, wrist: Wrist) -> None:
        self._services = services
        self._user_id = user_id
        self._wrist = wrist
        self._pieces: dict[str, deque[Piece]] = {
            name: deque() for name in (wrist.acc, wrist.gyro) if name is not None
        }
        self._said_ns = 0
        self._busy = False

    def add(self, stream: str, piece: Piece) -> bool:
        """Take samples; True when it is time for a guess."""
        kept = self._pieces.get(stream)
        if kept is None:
            return False
        kept.append(piece)
        newest_ns = max(_end_ns(one) for one in kept)
        while kept and _end_ns(kept[0]) < newest_ns - LOOK_BACK_S * NS:
            kept.popleft()
        heard_ns = self._heard_ns()
        if self._busy or heard_ns < self._said_ns + EVERY_S * NS:
            return False
        self._busy, self._said_ns = True, heard_ns
        return True

    async def answer(self) -> dict[str, Any]:
        """What the last seconds are, in the shape of classify and with the time that is meant."""
        try:
            recording = self._recording()
            layout = model_id(recording)
            ladder = await self._services.models.ladder(self._user_id, layout, FAMILY)
            shape = await asyncio.to_thread(answer_of, recording, ladder, count=False)
            windows = shape.pop("windows")
            shape["started_at"] = windows[0]["started_at"] if windows else None
            return shape
        finally:
            self._busy = False

    def _heard_ns(self) -> int:
        """Up to when every sensor of the wrist was heard: a guess needs both."""
        ends = [max((_end_ns(one) for one in kept), default=0) for kept in self._pieces.values()]
        return int(min(ends, default=0))

    def _recording(self) -> Recording:
        def sorted_pieces(name: str | None) -> tuple[Piece, ...]:
            kept = self._pieces.get(name, ()) if name is not None else ()
            return tuple(sorted(kept, key=lambda piece: piece.t0_ns))

        return Recording(
            sorted_pieces(self._wrist.acc), sorted_pieces(self._wrist.gyro), self._wrist.side
        )


def _end_ns(piece: Piece) -> float:
    return piece.t0_ns + len(piece.counts) / piece.rate_hz * NS
