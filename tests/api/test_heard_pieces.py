"""The buffered pieces of a sensor: what is kept count of equals what looking at all would give."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import api.sample_buffer
from api.heard_pieces import HeardPiece, HeardPieces
from api.sample_buffer import SampleBuffer
from ingest.wrist_streams import WristStreams
from models.signal.pieces import Piece

BEGAN_NS = 1_700_000_000 * 10**9
WRIST = WristStreams(("acc", "rec"), ("gyro",), "left")
LENGTHS = (1, 50, 20_000)


class SlowPieces:
    """As `HeardPieces`, in the plainest way: everything is looked at for every answer."""

    def __init__(self, heard: Any = ()) -> None:
        self.heard = list(heard)

    def __len__(self) -> int:
        return len(self.heard)

    def __iter__(self) -> Any:
        return iter(self.heard)

    @property
    def samples(self) -> int:
        return sum(len(piece.counts) for _, piece in self.heard)

    @property
    def end_ns(self) -> int:
        return max((piece.end_ns for _, piece in self.heard), default=0)

    @property
    def oldest(self) -> Piece:
        return self.heard[0].piece

    @property
    def newest(self) -> Piece:
        return self.heard[-1].piece

    def add(self, stream: str, piece: Piece) -> None:
        self.heard.append(HeardPiece(stream, piece))
        self.heard.sort(key=lambda heard: heard.piece.t0_ns)

    def drop_oldest(self) -> None:
        del self.heard[0]


def piece(at_s: float, length: int, rate_hz: float) -> Piece:
    """Samples from some second on."""
    counts = np.zeros((length, 3), dtype=np.int16)
    return Piece(BEGAN_NS + int(at_s * 10**9), rate_hz, "g", 0.001, counts)


added = st.tuples(
    st.sampled_from(("acc", "rec", "gyro")),
    st.builds(piece, st.integers(0, 40), st.sampled_from(LENGTHS), st.sampled_from((1.0, 50.0))),
)


@given(
    keep_unevaluated=st.booleans(),
    steps=st.lists(st.one_of(added, st.sampled_from(("read", "hold", "other streams")))),
)
def test_the_buffer_answers_as_one_that_looks_at_all_its_pieces(
    keep_unevaluated: bool, steps: list[Any]
):
    def answers(pieces: Any) -> list[object]:
        former, api.sample_buffer.HeardPieces = api.sample_buffer.HeardPieces, pieces
        try:
            kept = SampleBuffer(WRIST, 8, 1, keep_unevaluated=keep_unevaluated)
            return [_answer(kept, seq, step) for seq, step in enumerate(steps)]
        finally:
            api.sample_buffer.HeardPieces = former

    assert answers(HeardPieces) == answers(SlowPieces)


def _answer(kept: SampleBuffer, seq: int, step: Any) -> object:
    """What a step tells, and what the buffer holds after it."""
    told: object = None
    if step == "hold":
        kept.hold_from(BEGAN_NS)
    elif step == "other streams":
        kept.use(WristStreams(("acc",), ("gyro",), "left"))
    elif step == "read":
        recording = kept.recording()
        told = [id(read) for read in (*recording.acc, *recording.gyro)]
        kept.finish()
    else:
        told = kept.add(step[0], seq, step[1])
    held = [id(heard.piece) for pieces in kept._pieces.values() for heard in pieces]
    return told, held, kept.complete_until_ns(), kept.clock_resets


@dataclass(frozen=True, slots=True)
class ReadPiece(Piece):
    """A piece that tells when somebody asks for its end."""

    asked: list[int] | None = None

    @property
    def end_ns(self) -> int:
        if self.asked is not None:
            self.asked.append(self.t0_ns)
        return self.t0_ns + 10**8


def test_a_chunk_of_a_tenth_of_a_second_costs_the_same_however_many_are_held():
    kept, asked = SampleBuffer(WristStreams(("acc",), (), "left"), 150, 5), []
    counts = np.zeros((5, 3), dtype=np.int16)
    for seq in range(2000):
        t0_ns = BEGAN_NS + seq * 10**8
        kept.add("acc", seq, ReadPiece(t0_ns, 50.0, "g", 0.001, counts, asked=asked))
        kept.finish()
    assert len(asked) < 5 * 2000
