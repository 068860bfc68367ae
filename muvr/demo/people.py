"""The data of the demo: SPAR-10 people, each recording as a session of two streams."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import cbor2
import numpy as np

from examples.client import chunk
from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import read_spar
from models.signal.corrections import cut
from models.signal.pieces import Piece, Recording
from muvr.importing import named_id, time_of

CHUNK_SAMPLES = 512
LABELLED_SHARE = 0.7
SETS_PER_RECORDING = 3  # so that an evaluation in time has whole sets on both sides


@dataclass(frozen=True, slots=True)
class DemoSession:
    """One recording as a client sees it.

    Attributes:
        session: its id, the same in every run of a year, so that a repeated demo adds nothing.
        chunks: stream, number and body, in order.
        sets: what the person confirms: id, start, end.
        held_out: the part after the labelled one, for evaluation only.
    """

    person: str
    session: UUID
    exercise: str
    side: str
    started_at: datetime
    chunks: tuple[tuple[str, int, bytes], ...]
    sets: tuple[tuple[UUID, datetime, datetime], ...]
    labelled: tuple[Recording, ...]
    held_out: Recording

    @property
    def samples(self) -> int:
        """Samples in all chunks, both streams."""
        return sum(len(body_counts(body)) for _, _, body in self.chunks)


def body_counts(body: bytes) -> np.ndarray:
    """The sample counts of a chunk, int16 (n, 3)."""
    return np.frombuffer(cbor2.loads(body)["xyz"], dtype="<i2").reshape(-1, 3)


def demo_sessions(datasets: Path) -> dict[str, list[DemoSession]]:
    """Person to sessions, in time order. The recordings are dated to this year's first day."""
    first_at = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
    people: dict[str, list[DemoSession]] = {}
    for recording in read_spar(datasets, first_at):
        people.setdefault(recording.person, []).append(_session(recording))
    return {
        person: sorted(people[person], key=lambda session: session.started_at)
        for person in sorted(people)
    }


def _session(source: ImportedRecording) -> DemoSession:
    source_set = source.sets[0]
    cut_ns = source_set.start_ns + round((source_set.end_ns - source_set.start_ns) * LABELLED_SHARE)
    borders = (
        np.linspace(source_set.start_ns, cut_ns, SETS_PER_RECORDING + 1).astype(np.int64).tolist()
    )
    name = f"{source.person} {source.recording.side} {source_set.exercise}"
    spans = list(zip(borders, borders[1:], strict=False))
    return DemoSession(
        person=source.person,
        session=named_id(source_set.start_ns, name),
        exercise=source_set.exercise,
        side=str(source.recording.side),
        started_at=time_of(source_set.start_ns),
        chunks=(*_chunks("acc", source.recording.acc), *_chunks("gyro", source.recording.gyro)),
        sets=tuple((named_id(a, f"{name} {a}"), time_of(a), time_of(b)) for a, b in spans),
        labelled=tuple(cut(source.recording, a, b) for a, b in spans),
        held_out=cut(source.recording, cut_ns, source_set.end_ns),
    )


def _chunks(stream: str, pieces: tuple[Piece, ...]) -> Iterator[tuple[str, int, bytes]]:
    (piece,) = pieces
    for seq, start in enumerate(range(0, len(piece.counts), CHUNK_SAMPLES)):
        counts = piece.counts[start : start + CHUNK_SAMPLES]
        t0_ns = piece.t0_ns + round(start / piece.rate_hz * 1e9)
        body = chunk(t0_ns, piece.rate_hz, piece.unit, piece.scale, counts.astype("<i2").tobytes())
        yield stream, seq, body
