"""What runs where the stretches are: a user's partition in, one row out. Neither Spark nor CQL."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any

import pyarrow as pa

from models.activity.codec import from_bytes
from models.exercise.codec import statistics_from_bytes, statistics_to_bytes
from models.exercise.statistics import Statistics
from pipelines.attempts import attempted
from pipelines.idle import borders_to_bytes, examples_of, guesses, labelled_stretches, sums_of
from pipelines.span import Key
from schemas.inputs import LAYOUTS, InputLayout, input_layout

BORDERED_SETS = 600  # sets of all users whose borders are learned: 60 MB on the driver
RUNGS = ("own", "rhythm", "own_later", "incumbent")
GIVEN = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason", "until", "digest")]
    + [("stretches", pa.int32()), ("given", pa.binary())]
)
GUESSED = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason", "judged")]
    + [("borders", pa.binary())]
)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the second pass carries to the executors.

    Attributes:
        everybody: the total of each layout, as bytes.
        alone: layouts to which one user gave.
        borders: sets of each user whose borders are learned.
        incumbents: bytes of what serves now and up to when it had learned.
    """

    everybody: Mapping[str, bytes]
    alone: frozenset[str]
    borders: int
    incumbents: Mapping[str, tuple[bytes, datetime]]


def given_row(key: Key, group: pa.Table) -> list[Row]:
    """On an executor: a user's sums, or the reason why there are none."""
    attempt = attempted(lambda: _given(group, input_layout(str(key[1]))))
    row: Row = {"user_id": str(key[0]), "model_id": str(key[1])}
    row |= {"status": attempt.status, "reason": attempt.reason, "stretches": group.num_rows}
    return [row | (attempt.value or {})]


def guessed_row(key: Key, group: pa.Table, *, lesson: Lesson) -> list[Row]:
    """On an executor: a user's border examples, and seconds of every rung."""
    attempt = attempted(lambda: _guessed(group, input_layout(str(key[1])), lesson))
    row: Row = {"user_id": str(key[0]), "model_id": str(key[1])}
    row |= {"status": attempt.status, "reason": attempt.reason}
    return [row | (attempt.value or {})]


def lesson_of(given: Sequence[Row], incumbents: Mapping[str, tuple[bytes, datetime]]) -> Lesson:
    """Everybody's total, from rows in order."""
    totals = {layout: total_of(given, layout) for layout in LAYOUTS}
    members = {
        layout: sum(row["model_id"] == layout and bool(row["given"]) for row in given)
        for layout in LAYOUTS
    }
    return Lesson(
        everybody={k: statistics_to_bytes(v) for k, v in totals.items() if v is not None},
        alone=frozenset(layout for layout, n in members.items() if n == 1),
        borders=max(4, BORDERED_SETS // max(1, *members.values())),
        incumbents=incumbents,
    )


def total_of(given: Sequence[Row], layout: str) -> Statistics | None:
    """The sum of what users of a layout gave, in the order of the rows."""
    parts = [
        statistics_from_bytes(bytes(row["given"]))
        for row in given
        if row["model_id"] == layout and row["given"]
    ]
    return reduce(add, parts) if parts else None


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of their users: the order of a float sum decides its last bits."""
    return sorted(rows, key=lambda row: (row["user_id"], row["model_id"]))


def _given(group: pa.Table, model_id: InputLayout) -> Row:
    stretches = labelled_stretches(group)
    days = examples_of(stretches, model_id)
    digest = hashlib.sha256()
    for one in stretches:
        digest.update(f"{one.session_id} {one.started_at.isoformat()} {one.revision}\n".encode())
    return {
        "given": statistics_to_bytes(sums_of(days)),
        "until": max(one.started_at for one in stretches).isoformat(),
        "digest": digest.hexdigest(),
    }


def _guessed(group: pa.Table, layout: InputLayout, lesson: Lesson) -> Row:
    held = lesson.incumbents.get(layout)
    found = guesses(
        examples_of(labelled_stretches(group), layout),
        statistics_from_bytes(lesson.everybody[layout]),
        layout,
        alone=layout in lesson.alone,
        incumbent=(from_bytes(held[0]), held[1]) if held else None,
    )
    n = lesson.borders
    return {
        "borders": borders_to_bytes(found.starts[-n:], found.ends[-n:]),
        "judged": json.dumps({rung: getattr(found, rung) for rung in RUNGS}),
    }
