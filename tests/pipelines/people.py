"""People whose labelled sets are real recordings, for tests of the exercise job."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models.signal.pieces import Piece, pack_pieces, unpack_pieces
from models.signal.timeline import cut
from pipelines.exercise.labelled import LabelledRow
from schemas.config import Cassandra
from schemas.times import us_of
from schemas.topics import SETS
from store.changes import Changes
from store.database import Database, Statement
from tests.spark_session import emptied

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PER_RECORDING = 4
LAYOUT = "wrist-acc6"


def user_id(person: int) -> UUID:
    """The user id of a person."""
    return UUID(int=(person + 1) << 96 | 7 << 76 | 2 << 62)


def sets_of(recordings, person: int, exercises: int = 4) -> list[LabelledRow]:
    """The left wrist's recordings of one person, each cut into four sets, oldest first."""
    people = sorted({recording.person for recording in recordings})
    own = [recording for recording in recordings if recording.person == people[person]]
    left = [one for one in own if one.recording.side == "left"][:exercises]
    found = []
    for n, one in enumerate(left):
        whole = one.sets[0]
        step = (whole.end_ns - whole.start_ns) // PER_RECORDING
        for k in range(PER_RECORDING):
            start = whole.start_ns + k * step
            part = cut(one.recording, start, start + step)
            found.append(
                LabelledRow(
                    str(UUID(int=(person + 1) << 32 | n << 16 | k)),
                    us_of(NOW + timedelta(days=k, minutes=n)),
                    whole.exercise,
                    NOW + timedelta(days=k, minutes=n),
                    "typed",
                    pack_pieces(part.acc, part.gyro, part.side),
                )
            )
    return sorted(found, key=lambda row: row.started_at)


def mislabelled(sets: Sequence[LabelledRow], turn: int) -> list[LabelledRow]:
    """Wrong labels: each exercise's sets get different names, turned by `turn`."""
    names = sorted({set_.exercise for set_ in sets})
    seen: dict[str, int] = {}
    found = []
    for set_ in sets:
        nth = seen[set_.exercise] = seen.get(set_.exercise, turn) + 1
        place = (names.index(set_.exercise) + nth) % len(names)
        found.append(replace(set_, exercise=names[place]))
    return found


@contextmanager
def confirmed(settings: Cassandra, people: Sequence[Sequence[LabelledRow]]) -> Generator[Database]:
    """A connection to Spark's keyspace that holds these people's sets, and nothing else."""
    with emptied(settings) as database:
        for person, sets in enumerate(people):
            put(database, user_id(person), sets)
        yield database


def put(database: Database, user: UUID, sets: Sequence[LabelledRow], at: datetime = NOW) -> None:
    """Write labelled sets and announce them, as a confirmed set does."""

    async def work() -> None:
        await Changes(database).announce(user, SETS, us_of(at))
        await database.run_all([_insert(user, set_) for set_ in sets])

    asyncio.run(work())


def short(samples: bytes) -> bytes:
    """The first second of a recording."""
    recording = unpack_pieces(samples)
    acc, gyro = (tuple(map(_second_of, pieces)) for pieces in (recording.acc, recording.gyro))
    return pack_pieces(acc, gyro, recording.side)


def done_at(sets: Sequence[LabelledRow], at: datetime) -> list[LabelledRow]:
    """The same movements, done and confirmed from this time on, a minute apart."""
    times = [at + timedelta(minutes=n) for n in range(len(sets))]
    return [
        replace(one, started_at=at, revision=us_of(at)) for one, at in zip(sets, times, strict=True)
    ]


class Meanwhile:
    """Runs `work` after a run has learned its user models and before it moves pointers."""

    def __init__(self, work: Callable[[], object], after: str = "user models learned") -> None:
        self.work, self.after = work, after

    def step(self, what: str, done: int, total: int | None = None) -> None:
        """Called by the run to report its progress."""
        if what == self.after:
            self.work()


def _second_of(piece: Piece) -> Piece:
    return replace(piece, counts=piece.counts[:50])


def _insert(user: UUID, one: LabelledRow) -> Statement:
    return Statement(
        "INSERT INTO labelled_sets (user_id, model_id, set_id, exercise, started_at, ended_at, "
        "label_source, revision, samples) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
        (
            *(user, LAYOUT, UUID(one.set_id), one.exercise, one.started_at, one.started_at),
            *(one.label_source, one.revision, one.samples, one.revision),
        ),
    )
