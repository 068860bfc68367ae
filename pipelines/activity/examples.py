"""Training examples of exercise and idle from one user's stretches. Pure: no Spark, no database.

Each user's data is read twice, because borders are learned on first guesses by a discriminant that
was learned without the day: first for the sums, then, with the total over all users, for the
guesses. Both run where the data is; only sums and some hundred border examples go to the driver.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models import codec
from models.activity.border_examples import border_examples
from models.activity.examples import ActivityExample, activity_examples
from models.activity.fit import discriminant_or_none
from models.activity.logit import BorderExample, BorderModel
from models.exercise.statistics import Statistics
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from schemas.errors import BadSamples, NotEnoughLabels
from schemas.inputs import InputLayout

COLUMNS = (
    "user_id",
    "model_id",
    "session_id",
    "started_at",
    "spans",
    "revision",
    "samples",
)
BORDERS_TAG = "muvr-activity-borders-1"
Borders = tuple[BorderModel | None, BorderModel | None]
"""The models of starts and of ends; None where none was learned."""


@dataclass(frozen=True, slots=True)
class LabelledStretch:
    """One row of `labelled_stretches`; `samples` is a packed recording.

    Attributes:
        session_at: when its session began, as far as it is among the rows that are read.
    """

    session_id: str
    session_at: datetime
    started_at: datetime
    spans: tuple[tuple[int, int], ...]
    revision: int
    samples: bytes

    @property
    def day(self) -> str:
        """The UTC day on which its session began.

        Sessions of one day are alike, and so are the parts of one that goes on after midnight: a
        day is never on both sides of a split.
        """
        return self.session_at.date().isoformat()


@dataclass(frozen=True, slots=True)
class BorderExamples:
    """Border examples of one day of a user, starts and ends, in order."""

    starts: list[BorderExample]
    ends: list[BorderExample]


def labelled_stretches(table: pa.Table) -> list[LabelledStretch]:
    """Rows of one partition, oldest first: the order of a sum decides its last bits.

    Raises:
        BadSamples: one of them whose spans are no list of sets.
    """
    rows = table.select(COLUMNS[2:]).to_pylist()
    rows.sort(key=lambda row: (row["started_at"], str(row["session_id"])))
    began: dict[str, datetime] = {}  # sessions, with the start of the oldest row of each
    for row in rows:
        began.setdefault(row["session_id"], row["started_at"])
    return [_stretch(row, began[row["session_id"]]) for row in rows]


def examples_of(
    stretches: Sequence[LabelledStretch], layout: InputLayout
) -> dict[str, list[ActivityExample]]:
    """Examples by day, days and stretches in order.

    Raises:
        BadSamples: a stored recording does not decode.
    """
    by_day: dict[str, list[ActivityExample]] = {}
    for stretch in stretches:
        signals = wrist_signals(unpack_pieces(stretch.samples))
        examples = activity_examples(signals, stretch.spans, stretch.day, layout)
        by_day.setdefault(stretch.day, []).extend(examples)
    return {day: examples for day, examples in sorted(by_day.items()) if examples}


def sums_of(days: Mapping[str, Sequence[ActivityExample]]) -> Statistics:
    """The sums that a user adds to the total over all users.

    Raises:
        NotEnoughLabels: no stretch is as long as a window.
    """
    parts = [day_sums(examples) for examples in days.values()]
    if not parts:
        raise NotEnoughLabels("no stretch of this layout is as long as a window")
    return reduce(add, parts)


def day_sums(examples: Sequence[ActivityExample]) -> Statistics:
    """The sums of one day."""
    return reduce(add, [example.statistics for example in examples])


def newest_border_examples(
    stretches: Sequence[LabelledStretch], total: Statistics, layout: InputLayout, count: int
) -> dict[str, BorderExamples]:
    """The newest border examples of one user, by day, days in order.

    Days are read from the newest backwards until there are enough, so that the cost depends on
    `count` and not on how much a user has recorded.

    Args:
        stretches: the user's.
        total: over all users, this one included.
        layout: as which they are read.
        count: how many examples of each kind are wanted; no more are returned.

    Raises:
        BadSamples: a stored recording does not decode.
    """
    by_day: dict[str, BorderExamples] = {}
    more_starts = more_ends = count
    for day in sorted({stretch.day for stretch in stretches}, reverse=True):
        of_day = [stretch for stretch in stretches if stretch.day == day]
        examples = examples_of(of_day, layout).get(day)
        without_day = discriminant_or_none(total - day_sums(examples), layout) if examples else None
        if not examples or without_day is None:
            continue
        starts, ends = border_examples(without_day, examples)
        borders = BorderExamples(_newest(starts, more_starts), _newest(ends, more_ends))
        by_day[day] = borders
        more_starts, more_ends = more_starts - len(borders.starts), more_ends - len(borders.ends)
        if more_starts == more_ends == 0:
            break
    return dict(sorted(by_day.items()))


def _newest(examples: list[BorderExample], n: int) -> list[BorderExample]:
    return examples[max(0, len(examples) - n) :]


def border_examples_to_bytes(borders: BorderExamples) -> bytes:
    """Border examples, packed for the driver."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, examples in (("start", borders.starts), ("end", borders.ends)):
        if examples:
            arrays |= {
                f"{name}_at": np.concatenate([at_s for at_s, _, _ in examples]),
                f"{name}_x": np.concatenate([x for _, x, _ in examples]),
                f"{name}_n": np.array([len(at_s) for at_s, _, _ in examples]),
                f"{name}_true": np.array([true_s for _, _, true_s in examples]),
            }
    return codec.pack(BORDERS_TAG, {}, arrays)


def border_examples_from_bytes(blob: bytes) -> BorderExamples:
    """The examples of `border_examples_to_bytes`."""
    _, arrays = codec.unpack(blob, BORDERS_TAG)

    def unpacked(name: str) -> list[BorderExample]:
        """The examples of "start" or "end"; [] where none were packed."""
        if f"{name}_n" not in arrays:
            return []
        parts = np.cumsum(arrays[f"{name}_n"])[:-1]
        at_s, x = np.split(arrays[f"{name}_at"], parts), np.split(arrays[f"{name}_x"], parts)
        return list(zip(at_s, x, arrays[f"{name}_true"].tolist(), strict=True))

    return BorderExamples(unpacked("start"), unpacked("end"))


def _stretch(row: Mapping[str, Any], session_at: datetime) -> LabelledStretch:
    try:
        spans = tuple((int(start), int(end)) for start, end, _ in json.loads(row["spans"]))
    except (TypeError, ValueError) as problem:
        raise BadSamples(f"a stretch's spans are {row['spans']!r:.60}: {problem}") from problem
    return LabelledStretch(
        str(row["session_id"]),
        session_at,
        row["started_at"],
        spans,
        row["revision"],
        bytes(row["samples"]),
    )
