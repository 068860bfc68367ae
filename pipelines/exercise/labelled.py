"""A user's labelled sets as training sees them: ordered, capped, split by time. Pure.

Models are judged on later sessions than they were learned from, where that is possible: sets of one
session resemble each other more than those of another day, as the watch sits the same way.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from models.exercise.minimum_sets import MIN_EXERCISES
from models.exercise.time_split import split_in_time
from pipelines.exercise.gate import COUNTED_SOURCES
from pipelines.lifecycle.labelled_partitions import newest_of_each

SESSION_GAP = timedelta(hours=4)  # sets whose starts are further apart are of two sessions
SMALLEST_EARLY = 0.5  # of the share that is asked for: less says little about a model of all sets

COLUMNS = (
    "user_id",
    "model_id",
    "set_id",
    "revision",
    "exercise",
    "started_at",
    "label_source",
    "samples",
    "features",
)


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One row of `labelled_sets`.

    Attributes:
        samples: a packed recording.
        features: its windows as an earlier run stored them, None where none did.
    """

    set_id: str
    revision: int
    exercise: str
    started_at: datetime
    label_source: str
    samples: bytes
    features: bytes | None = None


SetTest = Callable[[LabelledRow], bool]


def any_set(_: LabelledRow) -> bool:
    """The test that every set passes."""
    return True


def labelled_sets(table: pa.Table) -> list[LabelledRow]:
    """The sets of one partition, oldest first: the order of sums decides their last bits."""
    rows = table.select(COLUMNS[2:]).to_pylist()
    return sorted((LabelledRow(**row) for row in rows), key=_age)


def newest(sets: Sequence[LabelledRow], of_each: int) -> list[LabelledRow]:
    """The newest `of_each` sets of every exercise, oldest first."""
    return newest_of_each(sets, of_each, exercise=lambda row: row.exercise, age=_age)


def digest(sets: Iterable[LabelledRow], recipe: str) -> str:
    """The digest of a model's training data and recipe: equal digests mean equal models.

    Args:
        sets: in any order.
        recipe: everything else that decides the bytes: features, settings, global model.
    """
    parts = sorted(f"{row.set_id} {row.revision} {row.exercise}" for row in sets)
    return hashlib.sha256("\n".join([recipe, *parts]).encode()).hexdigest()


def split_at(
    sets: Sequence[LabelledRow], cutoff_at: datetime
) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Sets that began before the cut-off, and the later ones."""
    return (
        [row for row in sets if row.started_at < cutoff_at],
        [row for row in sets if row.started_at >= cutoff_at],
    )


def split_judged(
    sets: Sequence[LabelledRow],
    share: float,
    *,
    teaches: SetTest = any_set,
    judges: SetTest = any_set,
) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Sets to learn from, and later ones, both oldest first.

    They are of different sessions where the later ones can judge then, else as of `split_share`.
    See `split_sessions`.
    """
    found = split_sessions(sets, share, teaches=teaches, judges=judges)
    return found or split_share(sets, share)


def known_before(early: Iterable[LabelledRow], late: Iterable[LabelledRow]) -> list[LabelledRow]:
    """The late sets of exercises that were done before.

    A model of the early sets cannot name the others, and the one that ships, of all sets, can.
    """
    exercises = {row.exercise for row in early}
    return [row for row in late if row.exercise in exercises]


def split_sessions(
    sets: Sequence[LabelledRow],
    share: float,
    *,
    teaches: SetTest = any_set,
    judges: SetTest = any_set,
) -> tuple[list[LabelledRow], list[LabelledRow]] | None:
    """The first sessions, and the later ones, both oldest first.

    The first ones hold `share` of the sets or a little more; if the others cannot judge then, or
    there are none, as much less as necessary.

    Args:
        sets: in any order.
        share: above 0 and below 1.
        teaches: whether a model can learn anything from a set: one without a window teaches none.
        judges: whether a set has windows as serving would take them.

    Returns:
        None with one session, and where the later ones cannot judge however many there are: they
        hold confirmed sets of fewer than two exercises that were done before.
    """
    ordered = sorted(sets, key=_age)
    wanted = share * len(ordered)
    borders = [
        n
        for n in range(1, len(ordered))
        if ordered[n].started_at - ordered[n - 1].started_at > SESSION_GAP
        and n >= SMALLEST_EARLY * wanted
    ]
    for n in sorted(borders, key=lambda n: (n < wanted, abs(n - wanted))):
        early, late = ordered[:n], ordered[n:]
        known = known_before(filter(teaches, early), filter(judges, late))
        if len({r.exercise for r in known if r.label_source in COUNTED_SOURCES}) >= MIN_EXERCISES:
            return early, late
    return None


def split_share(
    sets: Sequence[LabelledRow], share: float
) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """The first `share` of each exercise's sets, and its later ones, both oldest first.

    For the sets of a single session; and for calibration, which needs sets of every exercise.
    """
    early, late = split_in_time(sets, share, exercise=lambda row: row.exercise, age=_age)
    return sorted(early, key=_age), sorted(late, key=_age)


def _age(row: LabelledRow) -> tuple[datetime, str]:
    return row.started_at, row.set_id
