"""The functions of the three passes on executors: a user's stretches in, one row out. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import pyarrow as pa

from models.activity.codec import from_bytes
from models.activity.model import ActivityModel
from models.exercise.codec import statistics_from_bytes, statistics_to_bytes
from pipelines.activity.examples import (
    Borders,
    LabelledStretch,
    border_examples_to_bytes,
    examples_of,
    labelled_stretches,
    newest_border_examples,
    sums_of,
)
from pipelines.activity.seconds import evaluate_user
from pipelines.keys import Key, Row
from pipelines.lifecycle.attempts import attempted_row
from pipelines.lifecycle.incumbents import IncumbentBytes
from schemas.inputs import InputLayout, input_layout

SUMS = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason", "until", "digest")]
    + [("stretches", pa.int32()), ("sums", pa.binary())]
)
BORDERS = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason")]
    + [("days", pa.list_(pa.string())), ("borders", pa.list_(pa.binary()))]
)
EVALUATED = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason", "seconds")]
)


@dataclass(frozen=True, slots=True)
class BorderContext:
    """The inputs of the second pass, sent to the executors.

    Attributes:
        totals: sums over all users as bytes, by layout.
        single_user: layouts in which only one user has sums.
        examples_per_user: border examples of each kind that are wanted from each user.
    """

    totals: Mapping[str, bytes]
    single_user: frozenset[str]
    examples_per_user: int


@dataclass(frozen=True, slots=True)
class BorderHalves:
    """Border models of a layout for two-fold cross-validation over users.

    Attributes:
        first: the users of the first half, or days where only one user has sums.
        of_first, of_second: learned from each half.
    """

    first: frozenset[str]
    of_first: Borders
    of_second: Borders

    def unseen_by(self, group: str) -> Borders:
        """The border models that were learned without this user or day."""
        return self.of_second if group in self.first else self.of_first


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """The inputs of the third pass, sent to the executors.

    Attributes:
        border_context: that of the second pass.
        halves: border models, by layout.
        incumbents: the serving models as bytes, and what may evaluate them, by layout.
    """

    border_context: BorderContext
    halves: Mapping[str, BorderHalves]
    incumbents: Mapping[str, IncumbentBytes]


def sums_row(key: Key, group: pa.Table) -> list[Row]:
    """On an executor: a user's sums, or the reason why there are none."""
    row = attempted_row(key, lambda: _sums(group, input_layout(str(key[1]))))
    return [row | {"stretches": group.num_rows}]


def borders_row(key: Key, group: pa.Table, *, context: BorderContext) -> list[Row]:
    """On an executor: a user's border examples by day."""
    return [
        attempted_row(key, lambda: _border_examples_row(group, input_layout(str(key[1])), context))
    ]


def evaluation_row(key: Key, group: pa.Table, *, context: EvaluationContext) -> list[Row]:
    """On an executor: a user's seconds by every rung, or the reason why there are none."""
    user_id = str(key[0])
    return [
        attempted_row(key, lambda: _seconds(group, user_id, input_layout(str(key[1])), context))
    ]


def _sums(group: pa.Table, layout: InputLayout) -> Row:
    stretches = labelled_stretches(group)
    days = examples_of(stretches, layout)
    digest = hashlib.sha256()
    for stretch in stretches:
        started_at = stretch.started_at.isoformat()
        digest.update(f"{stretch.session_id} {started_at} {stretch.revision}\n".encode())
    return {
        "sums": statistics_to_bytes(sums_of(days)),
        "until": max(stretch.session_at for stretch in stretches).isoformat(),
        "digest": digest.hexdigest(),
    }


def _border_examples_row(group: pa.Table, layout: InputLayout, context: BorderContext) -> Row:
    total = statistics_from_bytes(context.totals[layout])
    stretches = labelled_stretches(group)
    by_day = newest_border_examples(stretches, total, layout, context.examples_per_user)
    return {
        "days": list(by_day),
        "borders": [border_examples_to_bytes(examples) for examples in by_day.values()],
    }


def _seconds(group: pa.Table, user_id: str, layout: InputLayout, context: EvaluationContext) -> Row:
    incumbent = context.incumbents.get(layout)
    stretches = labelled_stretches(group)
    single_user = layout in context.border_context.single_user
    seconds = evaluate_user(
        examples_of(stretches, layout),
        statistics_from_bytes(context.border_context.totals[layout]),
        layout,
        single_user=single_user,
        borders=lambda day: context.halves[layout].unseen_by(day if single_user else user_id),
        incumbent=_unseen(incumbent, stretches) if incumbent else None,
    )
    return {"seconds": json.dumps(asdict(seconds))}


def _unseen(
    incumbent: IncumbentBytes, stretches: Iterable[LabelledStretch]
) -> tuple[ActivityModel, set[str]]:
    """The serving model, and the days of a user that it was learned without."""
    content, period = incumbent
    oldest: dict[str, int] = {}
    for stretch in stretches:
        oldest[stretch.day] = min(stretch.revision, oldest.get(stretch.day, stretch.revision))
    days = {day for day, revision in oldest.items() if period.covers_day(day, revision)}
    return from_bytes(content), days
