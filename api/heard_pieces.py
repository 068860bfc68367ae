"""The pieces of one sensor that a live session buffers."""

from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from models.signal.pieces import Piece


class HeardPiece(NamedTuple):
    """A piece and the stream that it is of."""

    stream: str
    piece: Piece


class HeardPieces:
    """Pieces in the order of their starts.

    Adding the newest and dropping the oldest takes the same time however many there are: a phone
    may send ten a second.

    Attributes:
        samples: of all pieces together.
        end_ns: when the one that ends last ends; 0 without any.
    """

    def __init__(self, heard: Iterable[HeardPiece] = ()) -> None:
        self._heard: deque[HeardPiece] = deque()
        self.samples = 0
        self.end_ns = 0
        for stream, piece in heard:
            self.add(stream, piece)

    def __len__(self) -> int:
        return len(self._heard)

    def __iter__(self) -> Iterator[HeardPiece]:
        return iter(self._heard)

    @property
    def oldest(self) -> Piece:
        """The one that starts first."""
        return self._heard[0].piece

    @property
    def newest(self) -> Piece:
        """The one that starts last."""
        return self._heard[-1].piece

    def add(self, stream: str, piece: Piece) -> None:
        """Add a piece, after those that start with it."""
        self.end_ns = max(self.end_ns, piece.end_ns) if self._heard else piece.end_ns
        self.samples += len(piece.counts)
        if not self._heard or self.newest.t0_ns <= piece.t0_ns:
            self._heard.append(HeardPiece(stream, piece))
        else:
            insort(self._heard, HeardPiece(stream, piece), key=_start_ns)

    def drop_oldest(self) -> None:
        """Drop the piece that starts first."""
        _, piece = self._heard.popleft()
        self.samples -= len(piece.counts)
        if piece.end_ns >= self.end_ns:  # it was longer than those after it
            self.end_ns = max((heard.piece.end_ns for heard in self._heard), default=0)


def _start_ns(heard: HeardPiece) -> int:
    return heard.piece.t0_ns
