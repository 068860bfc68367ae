"""The newest samples of a live session, and when they are due to be evaluated."""

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from ingest.recordings import WristStreams
from models.signal.pieces import Piece, Recording
from schemas.times import NS_PER_S

MAX_SAMPLES = 60_000  # of a stream, 360 kB: devices may claim a thousand a second
MAX_SPAN_S = 3600.0  # of a stream: devices may claim one a second, all of which becomes 50 Hz


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
