"""The newest samples of a live session, and when they are due to be evaluated."""

from collections.abc import Generator
from contextlib import contextmanager

from api.heard_pieces import HeardPieces
from ingest.clocks import LARGE_STEP_NS
from ingest.wrist_streams import WristStreams, in_turn
from models.signal.pieces import Piece, Recording
from schemas.times import NS_PER_S, SpanNs

MAX_SAMPLES = 60_000  # of a stream, 360 kB: devices may claim a thousand a second
MAX_SPAN_S = 3600.0  # of a stream: devices may claim one a second, all of which becomes 50 Hz
MIN_INTERVALS = 30  # between evaluations, in what is held: 40 s in 20 minutes
MAX_LATE_S = 4.0
"""How far rotation may be behind acceleration before this is evaluated alone. The newest chunk of
acceleration does not count: that of rotation may be on its way."""


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
        # None: what was not evaluated is not kept for that
        self._unevaluated_from_ns = 0 if keep_unevaluated else None
        self._pieces = {"acc": HeardPieces(), "gyro": HeardPieces()}
        self._held_from_ns: int | None = None
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
            kept = [heard for heard in pieces if self._sensors.get(heard.stream) == sensor]
            self._pieces[sensor] = HeardPieces(kept)

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
        pieces.add(stream, piece)
        newest_ns = pieces.end_ns
        needed_ns = newest_ns
        if self._unevaluated_from_ns is not None:
            needed_ns = min(newest_ns, self._unevaluated_from_ns)
        kept_from_ns = needed_ns - self._window_ns
        if self._held_from_ns is not None:
            kept_from_ns = min(kept_from_ns, self._held_from_ns)
        while pieces and (
            pieces.oldest.end_ns < kept_from_ns
            or pieces.samples > MAX_SAMPLES
            or pieces.oldest.t0_ns < newest_ns - MAX_SPAN_S * NS_PER_S
        ):
            pieces.drop_oldest()
        if self._evaluating:
            return False
        return self.try_start()

    def _forget_former_clock(self, stream: str, seq: int, piece: Piece) -> None:
        """Empty the buffer if numbers go on while times go back: nothing new would ever be due."""
        last_seq, last_ns = self._newest.get(stream, (-1, piece.t0_ns))
        if seq <= last_seq:
            return  # sent again, or late
        if piece.t0_ns < last_ns - LARGE_STEP_NS:
            self._newest.clear()
            self._pieces = {sensor: HeardPieces() for sensor in self._pieces}
            if self._unevaluated_from_ns is not None:
                self._unevaluated_from_ns = 0
            self._began_ns, self._evaluated_until_ns, self._held_from_ns = None, 0, None
            self.clock_resets += 1
        self._newest[stream] = (seq, piece.t0_ns)

    def try_start(self) -> bool:
        """Start an evaluation if enough samples arrived since the last one; whether it began."""
        until_ns = self.complete_until_ns()
        interval_ns = self._interval_ns
        if self._held_from_ns is not None:  # or the work would grow with the square of its length
            interval_ns = max(interval_ns, (until_ns - self._held_from_ns) / MIN_INTERVALS)
        self._evaluating = until_ns >= self._evaluated_until_ns + interval_ns
        if self._evaluating:
            self._evaluated_until_ns = until_ns
        return self._evaluating

    def hold_from(self, start_ns: int | None) -> None:
        """Keep what is older than the window from here on, ns, up to the limits; None: nothing."""
        self._held_from_ns = start_ns

    def finish(self) -> None:
        """End the evaluation."""
        self._evaluating = False

    def complete_until_ns(self) -> int:
        """Up to when the samples are complete, ns, except for rotation that is late."""
        sensors = {"acc"} if self._is_rotation_late() else {"acc", *self._sensors.values()}
        ends = [self._pieces[sensor].end_ns for sensor in sensors]
        gaps = [t0_ns for sensor in sensors for t0_ns in self._gaps_ns(sensor)]
        return int(min([*ends, *gaps]))

    def _is_rotation_late(self) -> bool:
        """Whether rotation is not waited for: it was switched off, or is held up on the way."""
        acc = self._pieces["acc"]
        if not acc or self._began_ns is None:
            return False
        reached_ns = max(self._began_ns, self._pieces["gyro"].end_ns, *self._gaps_ns("gyro"))
        return acc.newest.t0_ns - reached_ns > MAX_LATE_S * NS_PER_S

    def _gaps_ns(self, sensor: str) -> list[int]:
        """Where the pieces of a sensor that are being stored begin."""
        return [
            t0_ns for stream, t0_ns in self._being_stored if self._sensors.get(stream) == sensor
        ]

    def recording(self) -> Recording:
        """The buffered samples in time order; from now on they count as evaluated."""
        if self._unevaluated_from_ns is not None:
            self._unevaluated_from_ns = self.complete_until_ns()
        acc, gyro = self._in_turn("acc"), self._in_turn("gyro")
        began_ns = acc[0].t0_ns if acc else 0
        gyro = tuple(piece for piece in gyro if piece.end_ns > began_ns)  # not from before a pause
        return Recording(acc, gyro, self.wrist.side)

    def _in_turn(self, sensor: str) -> tuple[Piece, ...]:
        """The pieces of a sensor's streams that are read as one recording."""
        spans: dict[str, list[SpanNs]] = {}
        for stream, piece in self._pieces[sensor]:
            spans.setdefault(stream, []).append((piece.t0_ns, piece.end_ns))
        kept = in_turn(dict(sorted(spans.items())))
        return tuple(piece for stream, piece in self._pieces[sensor] if stream in kept)
