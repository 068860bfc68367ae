"""A user's labelled sets as training sees them: ordered, capped, split by time. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from models.exercise.time_split import split_in_time
from pipelines.lifecycle.labelled_partitions import newest_of_each, whole_sets
from schemas.names import normalised_name

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


def labelled_sets(table: pa.Table) -> list[LabelledRow]:
    """The sets of one partition, oldest first: the order of sums decides their last bits."""
    rows = whole_sets(table).select(COLUMNS[2:]).to_pylist()
    sets = (LabelledRow(**row) for row in rows)
    return sorted((replace(row, exercise=normalised_name(row.exercise)) for row in sets), key=_age)


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


def split_share(
    sets: Sequence[LabelledRow], share: float
) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """The first `share` of each exercise's sets, and its later ones, both oldest first.

    For a first run, whose sets may have been loaded at once.
    """
    early, late = split_in_time(sets, share, exercise=lambda row: row.exercise, age=_age)
    return sorted(early, key=_age), sorted(late, key=_age)


def _age(row: LabelledRow) -> tuple[datetime, str]:
    return row.started_at, row.set_id
