"""What one user's stretches teach about exercise and idle. Pure: no Spark, no database, no clock.

Two looks at a user, because borders are learned on first guesses by a discriminant that did not
see the day: the sums of everybody first, then, with everybody's total, the guesses and how right
they are. Both run where the data is; only sums and some hundred border examples travel.
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
from models.activity.fit import (
    ActivityExample,
    activity_examples,
    border_examples,
    fit_discriminant,
    labels_of,
)
from models.activity.logit import BorderExample
from models.activity.model import ActivityModel, first_spans
from models.activity.rhythm import segments_by_rhythm
from models.activity.states import Span
from models.exercise.statistics import Statistics
from models.signal.pieces import unpack_pieces
from models.signal.wrist import WristSignal, wrist_signals
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
NEWEST = 120  # stretches of a user: at most ten hours, 120 MB of features in a task
BORDERS_TAG = "muvr-activity-borders-1"
Seconds = tuple[int, int, int]
"""Right exercise, wrong exercise, missed exercise."""


@dataclass(frozen=True, slots=True)
class LabelledStretch:
    """One row of `labelled_stretches`; `samples` is a packed recording."""

    session_id: str
    started_at: datetime
    spans: tuple[tuple[int, int], ...]
    revision: int
    samples: bytes

    @property
    def day(self) -> str:
        """Sessions of one day are alike: a day is never on both sides of a split."""
        return self.started_at.date().isoformat()


@dataclass(frozen=True, slots=True)
class BlindGuesses:
    """What a user's days say about a model that did not see them.

    Attributes:
        starts, ends: border examples, oldest first.
        own: seconds of the model that did not see the user, or not the day of an only user.
        rhythm: seconds of the rule that needs no learning.
        own_later, incumbent: seconds of both on stretches after the incumbent had learned.
    """

    starts: list[BorderExample]
    ends: list[BorderExample]
    own: Seconds
    rhythm: Seconds
    own_later: Seconds
    incumbent: Seconds


def labelled_stretches(table: pa.Table, newest: int = NEWEST) -> list[LabelledStretch]:
    """The newest rows of one partition, oldest first: the order of sums decides last bits.

    Raises:
        BadSamples: a row whose spans are no list of sets.
    """
    rows = [_stretch(row) for row in table.select(COLUMNS[2:]).to_pylist()]
    return sorted(rows, key=lambda one: (one.started_at, one.session_id))[-newest:]


def examples_of(
    stretches: Sequence[LabelledStretch], model_id: InputLayout
) -> dict[str, list[ActivityExample]]:
    """Examples by day, days and stretches in order.

    Raises:
        BadSamples: a stored recording does not decode.
    """
    found: dict[str, list[ActivityExample]] = {}
    for one in stretches:
        signals = wrist_signals(unpack_pieces(one.samples))
        examples = activity_examples(signals, one.spans, one.day, model_id)
        found.setdefault(one.day, []).extend(examples)
    return {day: examples for day, examples in sorted(found.items()) if examples}


def sums_of(days: Mapping[str, Sequence[ActivityExample]]) -> Statistics:
    """What a user gives to the total.

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


def guesses(
    days: Mapping[str, Sequence[ActivityExample]],
    everybody: Statistics,
    model_id: InputLayout,
    *,
    alone: bool,
    incumbent: tuple[ActivityModel, datetime] | None = None,
) -> BlindGuesses:
    """Border examples and seconds of one user.

    Args:
        days: the user's examples.
        everybody: the total that the user's sums are part of.
        model_id: the layout.
        alone: whether nobody else is in the total: then other days judge, else other people.
        incumbent: what serves now, and up to when it had learned.
    """
    found = BlindGuesses([], [], *[(0, 0, 0)] * 4)
    others = None if alone else discriminant(everybody - sums_of(days), model_id)
    for day, examples in days.items():
        blind = discriminant(everybody - day_sums(examples), model_id)
        judged = blind if alone else others
        if blind is None or judged is None:
            continue
        starts, ends = border_examples(blind, examples)
        own = seconds_by(judged, examples)
        later = incumbent is not None and day > incumbent[1].date().isoformat()
        found = BlindGuesses(
            found.starts + starts,
            found.ends + ends,
            plus(found.own, own),
            plus(found.rhythm, rhythm_seconds(examples)),
            plus(found.own_later, own) if later else found.own_later,
            plus(found.incumbent, seconds_by(incumbent[0], examples))
            if later and incumbent
            else found.incumbent,
        )
    return found


def discriminant(statistics: Statistics, model_id: InputLayout) -> ActivityModel | None:
    """A model without borders; None where the sums do not carry one."""
    try:
        return fit_discriminant(statistics, model_id)
    except NotEnoughLabels:
        return None


def seconds_by(model: ActivityModel, examples: Sequence[ActivityExample]) -> Seconds:
    """How right a model's first spans are, second by second."""
    total = (0, 0, 0)
    for example in examples:
        scored = model.scored(example.signal, example.windows)
        total = plus(total, compared(example.signal, first_spans(scored), example.sets_s))
    return total


def rhythm_seconds(examples: Sequence[ActivityExample]) -> Seconds:
    """How right the rule without learning is on the same seconds."""
    total = (0, 0, 0)
    for example in examples:
        t0_ns = example.signal.t0_ns
        segments = segments_by_rhythm([example.signal])
        spans = [((s.start_ns - t0_ns) / 1e9, (s.end_ns - t0_ns) / 1e9) for s in segments]
        total = plus(total, compared(example.signal, spans, example.sets_s))
    return total


def compared(signal: WristSignal, found: Sequence[Span], truth: Sequence[Span]) -> Seconds:
    """Seconds of a signal by what was found and what was true.

    >>> rest = WristSignal(0, np.zeros((500, 3), np.float32), None, None, ())
    >>> compared(rest, [(0.0, 4.0)], [(2.0, 8.0)])
    (2, 2, 4)
    """
    at_s: NDArray[np.float64] = np.arange(0.5, int(signal.duration_s), dtype=np.float64)
    a, b = labels_of(at_s, found), labels_of(at_s, truth)
    return int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())


def plus(a: Seconds, b: Seconds) -> Seconds:
    """Both together."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def f1(seconds: Seconds) -> float:
    """Harmonic mean of precision and recall.

    >>> f1((8, 2, 2))
    0.8
    """
    right, wrong, missed = seconds
    return 2 * right / max(2 * right + wrong + missed, 1)


def borders_to_bytes(starts: Sequence[BorderExample], ends: Sequence[BorderExample]) -> bytes:
    """Border examples as they travel to the driver."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, several in (("start", starts), ("end", ends)):
        if several:
            arrays |= {
                f"{name}_at": np.concatenate([at_s for at_s, _, _ in several]),
                f"{name}_x": np.concatenate([x for _, x, _ in several]),
                f"{name}_n": np.array([len(at_s) for at_s, _, _ in several]),
                f"{name}_true": np.array([true_s for _, _, true_s in several]),
            }
    return codec.pack(BORDERS_TAG, {}, arrays)


def borders_from_bytes(blob: bytes) -> tuple[list[BorderExample], list[BorderExample]]:
    """The examples of `borders_to_bytes`."""
    _, arrays = codec.unpack(blob, BORDERS_TAG)

    def several(name: str) -> list[BorderExample]:
        """The examples of "start" or "end"; [] where none were packed."""
        if f"{name}_n" not in arrays:
            return []
        parts = np.cumsum(arrays[f"{name}_n"])[:-1]
        at_s, x = np.split(arrays[f"{name}_at"], parts), np.split(arrays[f"{name}_x"], parts)
        return list(zip(at_s, x, arrays[f"{name}_true"].tolist(), strict=True))

    return several("start"), several("end")


def _stretch(row: Mapping[str, Any]) -> LabelledStretch:
    try:
        spans = tuple((int(start), int(end)) for start, end, _ in json.loads(row["spans"]))
    except (TypeError, ValueError) as problem:
        raise BadSamples(f"a stretch's spans are {row['spans']!r:.60}: {problem}") from problem
    return LabelledStretch(
        str(row["session_id"]),
        row["started_at"],
        spans,
        row["revision"],
        bytes(row["samples"]),
    )
