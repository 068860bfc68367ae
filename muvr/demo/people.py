"""The data of the demo: SPAR-10 people, each recording as a session of two streams."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np

from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import read_spar
from models.signal.pieces import Recording
from models.signal.timeline import cut
from muvr.importing import chunk_bodies, named_id, time_of

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
        samples: in all chunks, both streams.
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
    samples: int


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
    kinds = {"acc": source.recording.acc, "gyro": source.recording.gyro}
    chunks = [
        (kind, seq, body, n)
        for kind, pieces in kinds.items()
        for seq, (body, n) in enumerate(chunk_bodies(pieces, samples=CHUNK_SAMPLES))
    ]
    spans = list(zip(borders, borders[1:], strict=False))
    return DemoSession(
        person=source.person,
        session=named_id(source_set.start_ns, name),
        exercise=source_set.exercise,
        side=str(source.recording.side),
        started_at=time_of(source_set.start_ns),
        chunks=tuple((kind, seq, body) for kind, seq, body, _ in chunks),
        sets=tuple((named_id(a, f"{name} {a}"), time_of(a), time_of(b)) for a, b in spans),
        labelled=tuple(cut(source.recording, a, b) for a, b in spans),
        held_out=cut(source.recording, cut_ns, source_set.end_ns),
        samples=sum(n for *_, n in chunks),
    )
