"""A user's sets as columns: what the families of the journal learn from."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from models.arrays import Flags, Floats64, Ints64
from schemas.errors import BadInput

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


class DoneSet(NamedTuple):
    """One confirmed set; a missing number is None.

    Attributes:
        session: id of the session.
        started_s: seconds since the epoch.
        exercise: its name.
        reps: repetitions.
        weight_kg: kilograms.
        intensity: 0 to 1.
        duration_s: seconds from its begin to its end.
    """

    session: str
    started_s: float
    exercise: str
    reps: int | None
    weight_kg: float | None
    intensity: float | None
    duration_s: float | None = None


def done_set(
    session_id: UUID | str,
    started_at: datetime,
    exercise: str,
    reps: int | None,
    weight_kg: float | None,
    intensity: float | None,
    ended_at: datetime | None = None,
) -> DoneSet:
    """A row of `sets` as it is learned from and as it is asked about, whoever read it.

    Args:
        session_id: as text where Spark read it.
        started_at: with its zone.
        exercise: its name, as it was kept.
        reps: None where not recorded, as are the other two.
        weight_kg: kilograms.
        intensity: 0 to 1.
        ended_at: None where it was not read: most families do not ask.
    """
    started_s = started_at.timestamp()
    duration_s = None if ended_at is None else (ended_at - started_at).total_seconds()
    return DoneSet(str(session_id), started_s, exercise, reps, weight_kg, intensity, duration_s)


@dataclass(frozen=True, slots=True)
class SetLog:
    """The sets of one user, oldest first, as columns of one length n.

    Attributes:
        started_s: float64 (n,), seconds since the epoch, ascending.
        session: int64 (n,), 0, 1, 2 ... in the order in which the sessions began.
        exercise: str (n,).
        reps: float64 (n,), NaN where not recorded.
        weight_kg: float64 (n,), NaN where not recorded or where there is no weight.
        intensity: float64 (n,), 0 to 1, NaN where not recorded.
        duration_s: float64 (n,), NaN where its end was not read.
    """

    started_s: Floats64
    session: Ints64
    exercise: NDArray[np.str_]
    reps: Floats64
    weight_kg: Floats64
    intensity: Floats64
    duration_s: Floats64

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, field.name)) for field in fields(self)}
        if len(lengths) > 1:
            raise BadInput(f"the columns of a set log differ in length: {sorted(lengths)}")
        if np.any(np.diff(self.started_s) < 0):
            raise BadInput("the sets of a log must be ordered by time", field="started_s")

    def __len__(self) -> int:
        return len(self.started_s)

    @classmethod
    def of(cls, rows: Iterable[DoneSet]) -> Self:
        """Columns of `rows`, ordered by (start, session, exercise) however they arrive.

        >>> log = SetLog.of([DoneSet("b", 9.0, "squat", 5, 80.0, None),
        ...                  DoneSet("a", 1.0, "squat", 5, 75.0, 0.7)])
        >>> log.weight_kg.tolist(), log.session.tolist()
        ([75.0, 80.0], [0, 1])
        """
        ordered = _ordered(rows)
        numbers = _session_numbers(ordered)
        session = [numbers[row.session] for row in ordered]
        return cls(
            started_s=np.array([row.started_s for row in ordered], np.float64),
            session=np.array(session, np.int64),
            exercise=np.array([row.exercise for row in ordered], np.str_),
            reps=_numbers(row.reps for row in ordered),
            weight_kg=_numbers(row.weight_kg for row in ordered),
            intensity=_numbers(row.intensity for row in ordered),
            duration_s=_numbers(row.duration_s for row in ordered),
        )

    def where(self, mask: Flags) -> "SetLog":
        """The sets that `mask` (n,) keeps; sessions keep their numbers."""
        return SetLog(*(getattr(self, field.name)[mask] for field in fields(self)))

    def before(self, until_s: float) -> "SetLog":
        """The sets that began before `until_s`."""
        return self.where(self.started_s < until_s)

    def in_sessions_before(self, until_s: float) -> Flags:
        """Which sets are of sessions whose last set began before `until_s`, bool (n,).

        >>> times = (("a", 1.0), ("a", 2.0), ("b", 4.0), ("b", 6.0))
        >>> log = SetLog.of(DoneSet(name, at, "squat", 5, 75.0, None) for name, at in times)
        >>> log.in_sessions_before(5.0).tolist()
        [True, True, False, False]
        """
        last_s = np.full(int(self.session.max(initial=-1)) + 1, -np.inf)
        np.maximum.at(last_s, self.session, self.started_s)
        return last_s[self.session] < until_s

    def sessions_before(self, until_s: float) -> "SetLog":
        """The sets of sessions whose last set began before `until_s`: no session is cut in two."""
        return self.where(self.in_sessions_before(until_s))

    def since(self, from_s: float) -> "SetLog":
        """The sets that began at `from_s` or later."""
        return self.where(self.started_s >= from_s)

    def next_session(self) -> int:
        """The number that a new session would have."""
        return int(self.session.max(initial=-1)) + 1

    def followed_by(
        self,
        exercise: str,
        started_s: float,
        session: int,
        *,
        reps: float | None = None,
        weight_kg: float | None = None,
    ) -> "SetLog":
        """The log with one more set, of which only this is known.

        >>> log = SetLog.of([DoneSet("a", 1.0, "squat", 5, 75.0, 0.7)])
        >>> longer = log.followed_by("bench-press", 9.0, log.next_session(), reps=8)
        >>> longer.exercise.tolist(), longer.session.tolist(), longer.reps.tolist()
        (['squat', 'bench-press'], [0, 1], [5.0, 8.0])
        >>> longer.weight_kg.tolist(), longer.intensity.tolist()
        ([75.0, nan], [0.7, nan])
        """
        known = {"started_s": started_s, "session": session, "exercise": exercise}
        known |= {"reps": reps, "weight_kg": weight_kg}
        values = ((field.name, known.get(field.name)) for field in fields(self))
        return SetLog(*(np.append(getattr(self, n), np.nan if v is None else v) for n, v in values))


def session_numbers(rows: Iterable[DoneSet]) -> dict[str, int]:
    """Session id → its number in the log of these rows, however they arrive.

    >>> session_numbers([DoneSet("b", 9.0, "squat", 5, 80.0, None),
    ...                  DoneSet("a", 1.0, "squat", 5, 75.0, 0.7)])
    {'a': 0, 'b': 1}
    """
    return _session_numbers(_ordered(rows))


def _session_numbers(ordered: Iterable[DoneSet]) -> dict[str, int]:
    sessions = dict.fromkeys(row.session for row in ordered)
    return {session: number for number, session in enumerate(sessions)}


def _ordered(rows: Iterable[DoneSet]) -> list[DoneSet]:
    return sorted(rows, key=lambda row: (row.started_s, row.session, row.exercise))


def _numbers(values: Iterable[float | None]) -> Floats64:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def previous_with(key: Ints64, usable: Flags | None = None) -> Ints64:
    """For each row the last earlier row with the same key, or -1.

    Args:
        key: int64 (n,).
        usable: bool (n,); rows that may be named as predecessors, all by default.

    >>> previous_with(np.array([7, 8, 7, 7])).tolist()
    [-1, -1, 0, 2]
    """
    before = np.full(len(key), -1, np.int64)
    last: dict[int, int] = {}
    for row, value in enumerate(key.tolist()):
        before[row] = last.get(value, -1)
        if usable is None or usable[row]:
            last[value] = row
    return before
