"""Lines of CSV files: the known columns, and errors that name file, line and column."""

import csv
import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from ingest.checks import T0_MAX_NS
from ingest.json_chunk import nanoseconds
from models.signal.units import Kind
from schemas.errors import BadChunk, BadInput
from schemas.wire import MAX_MAGNITUDE

AXES = "xyz"
TIMES: Final = {"time": 0, "time_s": 9, "time_ms": 6, "time_ns": 0}
"""The names that the time column may have; its numbers times ten to this power are nanoseconds."""

UNITS: Final[Mapping[Kind, Mapping[str, str]]] = {
    "acc": {"g": "g", "m_s2": "m/s2"},
    "gyro": {"rad_s": "rad/s", "deg_s": "deg/s"},
}
"""How the names of the columns of a stream end, by its unit."""

ABOUT_SETS: Final = ("exercise", "set", "reps", "weight_kg")
EARLIEST_NS = 946_684_800 * 10**9  # 2000: an earlier time was not counted from 1970


class Column(NamedTuple):
    """A column: its name and its place."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file that holds something."""

    path: Path
    number: int
    cells: Sequence[str]

    def text(self, column: Column) -> str:
        """The text in a column, "" if it is empty."""
        return self.cells[column.at].strip()

    def wrong(self, column: Column, why: str) -> BadInput:
        """The error that names file, line, column and value."""
        value = self.text(column)
        return BadInput(
            f"{self.path} line {self.number}, column {column.name}: {value[:60]!r} {why}",
            field=column.name,
            value=value,
        )

    def time_ns(self, column: Column) -> int:
        """A time, nanoseconds since the epoch.

        Raises:
            BadInput: it is none, or lies before 2000 or after 2116.
        """
        text = self.text(column)
        try:
            if column.name == "time":
                at_ns = nanoseconds(text)
            else:
                at_ns = int(Decimal(text).scaleb(TIMES[column.name]))
        except (BadChunk, ArithmeticError, ValueError) as problem:
            form = "RFC 3339 with Z or an offset, such as 2026-11-21T10:00:00.02Z"
            needed = form if column.name == "time" else "a number"
            raise self.wrong(column, f"must be {needed}") from problem
        if not EARLIEST_NS <= at_ns < T0_MAX_NS:
            raise self.wrong(column, "must lie between 2000 and 2116; numbers count from 1970")
        return at_ns

    def number_in(self, column: Column) -> float:
        """A number.

        Raises:
            BadInput: it is none.
        """
        try:
            value = float(self.text(column))
        except ValueError as problem:
            raise self.wrong(column, "is no number; decimals have a point") from problem
        if not math.isfinite(value):
            raise self.wrong(column, "is no number that can be measured")
        return value


class StreamColumns(NamedTuple):
    """The columns of a stream, in the order of its axes."""

    unit: str
    columns: tuple[Column, ...]

    def values(self, line: Line) -> list[float] | None:
        """A sample; None where the line has none of this stream.

        Raises:
            BadInput: an axis is missing, is no number, or is more than a wrist can do.
        """
        if not any(map(line.text, self.columns)):
            return None
        numbers = [line.number_in(column) for column in self.columns]
        for column, value in zip(self.columns, numbers, strict=True):
            if abs(value) > MAX_MAGNITUDE[self.unit]:
                raise line.wrong(
                    column, f"must lie within ±{MAX_MAGNITUDE[self.unit]:g} {self.unit}"
                )
        return numbers


@dataclass(frozen=True, slots=True)
class Header:
    """What the columns of a file are."""

    width: int
    time: Column
    streams: Mapping[Kind, StreamColumns]
    about_sets: Mapping[str, Column]


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of a file that hold something.

    Raises:
        BadInput: it cannot be read, or is no CSV in UTF-8.
    """
    number = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                number = reader.line_num
                if any(cell.strip() for cell in cells):
                    yield Line(path, number, cells)
    except OSError as problem:
        says = f"{path} cannot be read: {problem.strerror}"
        raise BadInput(says, field="path", value=str(path)) from problem
    except (UnicodeError, csv.Error) as problem:
        says = f"{path} is no CSV in UTF-8 after line {number}: {problem}"
        raise BadInput(says, field="path", value=str(path)) from problem


def header_of(line: Line) -> Header:
    """Parse a line as the header.

    Raises:
        BadInput: a column is unknown, named twice or missing.
    """
    named: dict[str, Column] = {}
    for at, cell in enumerate(line.cells):
        name = cell.strip().lower()
        if name not in _KNOWN:
            raise line.wrong(Column(f"{at + 1}", at), f"is no known column; {_nearest(name)}")
        if name in named:
            raise line.wrong(Column(f"{at + 1}", at), "is named twice")
        named[name] = Column(name, at)
    times = [named[name] for name in TIMES if name in named]
    if len(times) != 1:
        raise _misses(line, f"must name one of {', '.join(TIMES)}, not {len(times)} of them")
    streams: dict[Kind, StreamColumns] = {
        kind: triple for kind in UNITS if (triple := _stream_columns(line, kind, named))
    }
    if "acc" not in streams:
        raise _misses(line, "must name acc_x_g, acc_y_g, acc_z_g, or these with m_s2 for g")
    about_sets = {name: named[name] for name in ABOUT_SETS if name in named}
    if about_sets and "exercise" not in about_sets:
        raise _misses(line, f"names {', '.join(about_sets)} without exercise")
    return Header(len(line.cells), times[0], streams, about_sets)


def _stream_columns(line: Line, kind: Kind, named: Mapping[str, Column]) -> StreamColumns | None:
    """The columns of a stream, None where the header names none of them."""
    candidates: list[StreamColumns] = []
    for suffix, unit in UNITS[kind].items():
        wanted = [f"{kind}_{axis}_{suffix}" for axis in AXES]
        missing = [name for name in wanted if name not in named]
        if 0 < len(missing) < len(wanted):
            raise _misses(line, f"does not name {missing[0]}")
        if not missing:
            candidates.append(StreamColumns(unit, tuple(named[name] for name in wanted)))
    if len(candidates) > 1:
        raise _misses(line, f"names {kind} in {candidates[0].unit} and in {candidates[1].unit}")
    return candidates[0] if candidates else None


def _misses(line: Line, why: str) -> BadInput:
    return BadInput(
        f"{line.path} line {line.number}: the header {why}.", field="path", value=str(line.path)
    )


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, _KNOWN, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(_KNOWN)}"


_STREAMS = [f"{kind}_{axis}_{unit}" for kind in UNITS for unit in UNITS[kind] for axis in AXES]
_KNOWN: Final = (*TIMES, *_STREAMS, *ABOUT_SETS)
