"""What runs on executors, in three passes: a user's stretches in, one row out. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add

import pyarrow as pa

from models.activity.border_examples import fit_both_borders
from models.activity.codec import from_bytes
from models.exercise.codec import statistics_from_bytes, statistics_to_bytes
from models.exercise.statistics import Statistics
from pipelines.activity.lessons import (
    BorderLesson,
    Borders,
    border_lessons,
    examples_of,
    labelled_stretches,
    lesson_from_bytes,
    lesson_to_bytes,
    sums_of,
)
from pipelines.activity.seconds import judged
from pipelines.keys import IncumbentBytes, Key, Row
from pipelines.lifecycle.attempts import attempted
from schemas.inputs import LAYOUTS, InputLayout, input_layout

BORDERED_SETS = 600  # sets of all users whose borders are learned: 60 MB on the driver
RUNGS = ("own", "rhythm", "own_later", "incumbent")
GIVEN = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason", "until", "digest")]
    + [("stretches", pa.int32()), ("given", pa.binary())]
)
TAUGHT = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason")]
    + [("days", pa.list_(pa.string())), ("borders", pa.list_(pa.binary()))]
)
JUDGED = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason", "judged")]
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the second pass carries to the executors.

    Attributes:
        everybody: the total of each layout, as bytes.
        alone: layouts to which only one user gave sums.
        borders: sets of each user whose borders are learned.
    """

    everybody: Mapping[str, bytes]
    alone: frozenset[str]
    borders: int


@dataclass(frozen=True, slots=True)
class BorderHalves:
    """Borders of a layout, learned twice: each half of the people is judged by the other's.

    Attributes:
        first: the users of the first half, or days where only one user gave sums.
        of_first, of_second: learned from each half.
    """

    first: frozenset[str]
    of_first: Borders
    of_second: Borders

    def unseen_by(self, group: str) -> Borders:
        """The borders that were learned without this user or day."""
        return self.of_second if group in self.first else self.of_first


@dataclass(frozen=True, slots=True)
class Exam:
    """What the third pass carries to the executors.

    Attributes:
        lesson: that of the second.
        halves: borders of each layout.
        incumbents: the models that serve now as bytes, and the time of their newest set.
    """

    lesson: Lesson
    halves: Mapping[str, BorderHalves]
    incumbents: Mapping[str, IncumbentBytes]


def given_row(key: Key, group: pa.Table) -> list[Row]:
    """On an executor: a user's sums, or the reason why there are none."""
    attempt = attempted(lambda: _given(group, input_layout(str(key[1]))))
    row: Row = {"user_id": str(key[0]), "model_id": str(key[1])}
    row |= {"status": attempt.status, "reason": attempt.reason, "stretches": group.num_rows}
    return [row | (attempt.value or {})]


def taught_row(key: Key, group: pa.Table, *, lesson: Lesson) -> list[Row]:
    """On an executor: a user's border examples by day."""
    attempt = attempted(lambda: _taught(group, input_layout(str(key[1])), lesson))
    row: Row = {"user_id": str(key[0]), "model_id": str(key[1])}
    row |= {"status": attempt.status, "reason": attempt.reason}
    return [row | (attempt.value or {})]


def judged_row(key: Key, group: pa.Table, *, exam: Exam) -> list[Row]:
    """On an executor: a user's seconds by every rung, or the reason why there are none."""
    attempt = attempted(lambda: _judged(group, str(key[0]), input_layout(str(key[1])), exam))
    row: Row = {"user_id": str(key[0]), "model_id": str(key[1])}
    row |= {"status": attempt.status, "reason": attempt.reason}
    return [row | (attempt.value or {})]


def lesson_of(given: Sequence[Row]) -> Lesson:
    """What the second pass needs, from the rows of the first in order: everybody's total."""
    totals = {layout: total_of(given, layout) for layout in LAYOUTS}
    members = {
        layout: sum(row["model_id"] == layout and bool(row["given"]) for row in given)
        for layout in LAYOUTS
    }
    return Lesson(
        everybody={k: statistics_to_bytes(v) for k, v in totals.items() if v is not None},
        alone=frozenset(layout for layout, n in members.items() if n == 1),
        borders=max(4, BORDERED_SETS // max(1, *members.values())),
    )


def exam_of(
    lesson: Lesson, taught: Sequence[Row], incumbents: Mapping[str, IncumbentBytes]
) -> Exam:
    """What the third pass needs, from the rows of the second in order: borders by halves."""
    return Exam(
        lesson,
        {layout: halves_of(taught, layout, lesson) for layout in lesson.everybody},
        incumbents,
    )


def halves_of(taught: Sequence[Row], layout: str, lesson: Lesson) -> BorderHalves:
    """Borders learned from either half of a layout's users, who are dealt into halves by turns.

    Where the layout has one user, that user's days are dealt.
    """
    by = 1 if layout in lesson.alone else 0
    several: dict[str, list[BorderLesson]] = {}
    for user_and_day, one in lessons_of(taught, layout):
        several.setdefault(user_and_day[by], []).append(one)
    first, second = list(several)[::2], list(several)[1::2]
    learned = [
        borders_of([one for group in half for one in several[group]]) for half in (first, second)
    ]
    return BorderHalves(frozenset(first), *learned)


def lessons_of(taught: Sequence[Row], layout: str) -> list[tuple[tuple[str, str], BorderLesson]]:
    """(user, day) and the border examples of that day, in the order of the rows."""
    return [
        ((row["user_id"], day), lesson_from_bytes(bytes(content)))
        for row in taught
        if row["model_id"] == layout
        for day, content in zip(row["days"] or (), row["borders"] or (), strict=True)
    ]


def borders_of(lessons: Sequence[BorderLesson]) -> Borders:
    """Models of starts and of ends, learned from border examples."""
    return fit_both_borders(
        [example for one in lessons for example in one.starts],
        [example for one in lessons for example in one.ends],
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


def _taught(group: pa.Table, layout: InputLayout, lesson: Lesson) -> Row:
    everybody = statistics_from_bytes(lesson.everybody[layout])
    found = border_lessons(labelled_stretches(group), everybody, layout, lesson.borders)
    return {"days": list(found), "borders": [lesson_to_bytes(one) for one in found.values()]}


def _judged(group: pa.Table, user_id: str, layout: InputLayout, exam: Exam) -> Row:
    held, alone = exam.incumbents.get(layout), layout in exam.lesson.alone
    found = judged(
        examples_of(labelled_stretches(group), layout),
        statistics_from_bytes(exam.lesson.everybody[layout]),
        layout,
        alone=alone,
        borders=lambda day: exam.halves[layout].unseen_by(day if alone else user_id),
        incumbent=(from_bytes(held[0]), held[1]) if held else None,
    )
    return {"judged": json.dumps(asdict(found))}
