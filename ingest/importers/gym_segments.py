"""The rows of the two tables of the gym recordings: segments, and counts made again by eye."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from schemas.errors import BadInput

SEGMENT_COLUMNS = ("segment", "kind", "day", "started", "code", "name", "weight_kg", "reps")
STARTED = "%Y-%m-%dT%H-%M-%S"


@dataclass(frozen=True, slots=True)
class Segment:
    """A row of `segments.csv`: a set, or the idle time around it.

    Attributes:
        number: of its samples.
        active: whether it is a set.
        day: of the recording.
        started: when the recording began; the segments of one recording share it.
        code, name: of the exercise and its variant.
        weight_kg, reps: of a set, None where the source does not say.
        remark: what of its row is not used, in a sentence; "" if all is.
    """

    number: int
    active: bool
    day: str
    started: datetime
    code: str
    name: str
    weight_kg: float | None = None
    reps: int | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table, as text by column."""

    path: Path
    cells: Mapping[str, str | None]

    def text(self, column: str) -> str:
        """The text in a column, "" if it is empty or not there."""
        return (self.cells.get(column) or "").strip()

    def number(self, column: str) -> float | None:
        """A number, None where the cell is empty.

        Raises:
            BadInput: it is none.
        """
        text = self.text(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError as problem:
            raise self.wrong(column, "is no number") from problem
        if not math.isfinite(value):
            raise self.wrong(column, "is no number that can be measured")
        return value

    def whole(self, column: str) -> int | None:
        """A whole number, such as 12 or 12.0; None where the cell is empty.

        Raises:
            BadInput: it is none.
        """
        value = self.number(column)
        if value is None:
            return None
        if not value.is_integer():
            raise self.wrong(column, "is no whole number")
        return int(value)

    def segment(self) -> int:
        """The number of the segment.

        Raises:
            BadInput: it is none.
        """
        number = self.whole("segment")
        if number is None:
            raise self.wrong("segment", "is no whole number")
        return number

    def time(self, column: str) -> datetime:
        """A time as the source writes it.

        Raises:
            BadInput: it is none.
        """
        try:
            return datetime.strptime(self.text(column), STARTED).replace(tzinfo=UTC)
        except ValueError as problem:
            raise self.wrong(column, "is no time such as 2024-12-01T07-36-28") from problem

    def wrong(self, column: str, why: str) -> BadInput:
        """The error that names file, segment, column and value."""
        value = self.text(column)
        return BadInput(
            f"{self.path} segment {self.text('segment') or 'without a number'}, column {column}: "
            f"{value[:60]!r} {why}",
            field=column,
            value=value,
        )


def read_segments(path: Path) -> list[Segment]:
    """The segments of `segments.csv`, in its order.

    Raises:
        BadInput: no CSV in UTF-8 with its columns, or a cell that cannot be read.
    """
    return [_segment(row) for row in _rows(path, SEGMENT_COLUMNS)]


def read_audited_reps(path: Path) -> dict[int, int]:
    """Counts made again by eye, per segment that has one; empty when the file is not there.

    Raises:
        BadInput: no CSV in UTF-8 that names segments, or a cell that cannot be read.
    """
    if not path.exists():
        return {}
    rows = [(row, row.whole("reps_audited")) for row in _rows(path, ("segment",))]
    return {row.segment(): reps for row, reps in rows if reps is not None}


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[TableRow]:
    """The rows of a table.

    Raises:
        BadInput: it is no CSV in UTF-8, or misses one of these columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise BadInput(
                    f"{path} has no column {', '.join(missing)}.", field="path", value=str(path)
                )
            yield from (TableRow(path, cells) for cells in reader)
    except (UnicodeError, csv.Error) as problem:
        says = f"{path} is no CSV in UTF-8: {problem}"
        raise BadInput(says, field="path", value=str(path)) from problem


def _segment(row: TableRow) -> Segment:
    kind = row.text("kind").lower()
    if kind not in ("active", "idle"):
        raise row.wrong("kind", "is neither active nor idle")
    active, started = kind == "active", row.time("started")
    name = row.text("name").lower()
    if active and not name:
        raise row.wrong("name", "is no exercise")
    reps, remark = _reps(row) if active else (None, "")
    return Segment(
        number=row.segment(),
        active=active,
        day=row.text("day") or f"{started:%Y-%m-%d}",
        started=started,
        code=row.text("code") or name,  # without variants, names are learned
        name=name,
        # idle time repeats what its set says, or says nothing
        weight_kg=row.number("weight_kg") if active else None,
        reps=reps,
        remark=remark,
    )


def _reps(row: TableRow) -> tuple[int | None, str]:
    """The repetitions of a set; None with a sentence for "8+2": one cell ends no table."""
    try:
        return row.whole("reps"), ""
    except BadInput as problem:
        return None, f"{problem}; its set has no number of repetitions."
