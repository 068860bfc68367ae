"""Simulated users whose labelled sets are parts of real recordings, written into Cassandra.

Each user has one SPAR person's recordings, slightly rotated and scaled: seven exercises, six sets
of twenty seconds each. This measures the cost of training, not its accuracy.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import RATE_HZ
from models.exercise.examples import rotations
from models.signal.pieces import Piece, pack_pieces
from schemas.inputs import ACC6
from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from store.changes import Changes
from store.database import Database
from store.labelled_sets import LabelledSet, LabelledSets

LAYOUT = ACC6
SETS_OF_EACH = 6
SET_S = 20
SET_SAMPLES = round(SET_S * RATE_HZ)
TURN_DEG = 8.0
SCALE = 0.05
USERS_AT_ONCE = 128
DATA = (
    f"simulated: {SET_S} s pieces of SPAR-10 recordings, turned and scaled per user, six channels"
)


@dataclass(frozen=True, slots=True)
class SimulatedUsers:
    """A population of simulated users.

    Attributes:
        recordings: that their sets are cut from.
        size: number of users.
        seed: of ids, sets and variation.
        now: their newest set is of the day before.
    """

    recordings: Sequence[ImportedRecording]
    size: int
    seed: int
    now: datetime

    def user_id(self, number: int) -> UUID:
        """The id of a user: made up, but for the version of a UUIDv7."""
        drawn = int.from_bytes(hashlib.sha256(f"{self.seed} {number}".encode()).digest()[:16])
        return UUID(int=drawn & ~(0xF << 76) & ~(0b11 << 62) | 7 << 76 | 0b10 << 62)

    def sets(self, number: int) -> list[LabelledSet]:
        """A user's sets, oldest first."""
        rng = np.random.default_rng([self.seed, number])
        people = sorted({imported.person for imported in self.recordings})
        person = people[number % len(people)]
        own = [imported for imported in self.recordings if imported.person == person]
        side = "left" if rng.random() < 0.5 else "right"
        own = [imported for imported in own if imported.recording.side == side]
        turn = rotations(rng.normal(0, TURN_DEG, (1, 3)))[0]
        factor = 1 + SCALE * rng.standard_normal()
        rows = [
            self._set(number, nth, imported, turn, factor, rng)
            for nth, imported in enumerate(
                imported for _ in range(SETS_OF_EACH) for imported in own
            )
        ]
        return sorted(rows, key=lambda row: row.started_at)

    def _set(
        self,
        number: int,
        nth: int,
        imported: ImportedRecording,
        turn: NDArray[np.floating],
        factor: float,
        rng: np.random.Generator,
    ) -> LabelledSet:
        started_at = self.now - timedelta(days=SETS_OF_EACH - nth // 7, minutes=60 - nth % 7)
        acc, gyro = imported.recording.acc[0], imported.recording.gyro[0]
        n = min(SET_SAMPLES, len(acc.counts))
        first = int(rng.integers(0, len(acc.counts) - n + 1))
        pieces = [
            _moved(piece, first, n, turn, factor, us_of(started_at) * 1000) for piece in (acc, gyro)
        ]
        return LabelledSet(
            LAYOUT,
            UUID(int=self.user_id(number).int ^ nth + 1),
            self.user_id(number),
            imported.sets[0].exercise,
            started_at,
            started_at + timedelta(seconds=SET_S),
            None,
            None,
            None,
            "typed",
            us_of(started_at),
            pack_pieces([pieces[0]], [pieces[1]], imported.recording.side),
        )


def load_users(
    database: Database, users: SimulatedUsers, held_back_users: Sequence[int] = ()
) -> None:
    """Write the sets of all users, without the newest of each exercise of `held_back_users`."""
    held_back = set(held_back_users)

    async def write_all() -> None:
        """Write a bounded number of users at a time."""
        for first in range(0, users.size, USERS_AT_ONCE):
            numbers = range(first, min(first + USERS_AT_ONCE, users.size))
            rows = {n: users.sets(n)[: -7 if n in held_back else None] for n in numbers}
            await asyncio.gather(*(put(database, users.user_id(n), rows[n]) for n in numbers))

    asyncio.run(write_all())


def corrupt_newest_set(database: Database, users: SimulatedUsers, number: int) -> None:
    """Overwrite the newest set of a user with one that does not decode."""
    newest = users.sets(number)[-1]
    broken = newest._replace(revision=newest.revision + 1, samples=b"\x93 no samples")
    asyncio.run(put(database, users.user_id(number), [broken]))


async def put(database: Database, user_id: UUID, rows: Sequence[LabelledSet]) -> None:
    """Write sets and announce them, as a confirmed set does."""
    labelled, changes = LabelledSets(database), Changes(database)
    await changes.announce(user_id, "sets", us_of(datetime.now(UTC)))
    for row in rows:
        await labelled.put(user_id, row, LABELLED_TTL_S)


def done_at(rows: Sequence[LabelledSet], at: datetime) -> list[LabelledSet]:
    """The same sets, done and confirmed from this time on, a minute apart."""
    times = [at + timedelta(minutes=n) for n in range(len(rows))]
    return [
        row._replace(started_at=at, ended_at=at + timedelta(seconds=SET_S), revision=us_of(at))
        for row, at in zip(rows, times, strict=True)
    ]


def _moved(
    piece: Piece, first: int, n: int, turn: NDArray[np.floating], factor: float, t0_ns: int
) -> Piece:
    counts = piece.counts[first : first + n].astype(np.float32) @ turn.T * np.float32(factor)
    counts = np.clip(np.rint(counts), -32768, 32767).astype(np.int16)
    if n < SET_SAMPLES:  # a few recordings are shorter: what is missing is played again
        counts = np.resize(counts, (SET_SAMPLES, 3))
    return Piece(t0_ns, piece.rate_hz, piece.unit, piece.scale, counts)
