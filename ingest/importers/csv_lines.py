"""Lines of CSV files: the known columns, and errors that name file, line and column."""

import csv
import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from models.signal.units import Kind
from schemas.errors import BadInput
from schemas.wire import MAX_MAGNITUDE

AXES = "xyz"
TIMES: Final = {"time": 0, "time_s": 9, "time_ms": 6, "time_ns": 0}
"""The names that the time column may have; its numbers times ten to this power are nanoseconds."""

UNITS: Final[Mapping[Kind, Mapping[str, str]]] = {
    "acc": {"g": "g", "m_s2": "m/s2"},
    "gyro": {"rad_s": "rad/s", "deg_s": "deg/s"},
}
"""How the names of the columns of a stream end, by its unit."""

NEAR = 0.7  # of difflib: acc_x, weight and rep are misspelt; subject (set) and steps (reps) are not
ABOUT_SETS: Final = ("exercise", "set", "reps", "weight_kg")
OTHER_NAMES: Final[Mapping[str, str]] = {
    **{name: "reps" for name in ("rep", "repetitions", "count")},
    **{name: "weight_kg" for name in ("weight", "kg", "load")},
}
"""What columns about sets are also called."""
GYRO_NAME: Final = re.compile(r"(?:gyr(?:o(?:scope)?)?[._ ]?|g)([xyz])(?:[._ (].*)?")
"""What columns of rotation are also called: gyro_x and gx, but not gyro_accuracy."""
NOTHING: Final = frozenset(("", "-", "nan", "none", "null"))
"""What programs write into a cell that holds nothing, in any case."""


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

    def filled(self, column: Column) -> str:
        """The text in a column, "" also where it is a word for nothing, such as nan."""
        text = self.text(column)
        return "" if text.lower() in NOTHING else text

    def wrong(self, column: Column, why: str) -> BadInput:
        """The error that names file, line, column and value."""
        value = self.text(column)
        return BadInput(
            f"{self.path} line {self.number}, column {column.name}: {value[:60]!r} {why}",
            field=column.name,
            value=value,
        )

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
        """A sample; None where all three axes are empty or words for nothing.

        Raises:
            BadInput: an axis is missing, is no number, or is more than a wrist can do.
        """
        if not any(map(line.filled, self.columns)):
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
    """What the columns of a file are; `unread` are the names of those that are not known."""

    width: int
    time: Column
    streams: Mapping[Kind, StreamColumns]
    about_sets: Mapping[str, Column]
    unread: tuple[str, ...]


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
        BadInput: a column is named twice or missing, perhaps as it is misspelt; or none is known.
    """
    named, unknown = _columns_of(line)
    _refuse_misspelt(line, named, unknown)
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
    unread = tuple(line.text(column) for column in unknown if line.text(column))
    return Header(len(line.cells), times[0], streams, about_sets, unread)


def _columns_of(line: Line) -> tuple[dict[str, Column], list[Column]]:
    """The known columns by name, and the others by their number."""
    named: dict[str, Column] = {}
    unknown: list[Column] = []
    for at, cell in enumerate(line.cells):
        name, column = cell.strip().lower(), Column(f"{at + 1}", at)
        if name not in _KNOWN:
            unknown.append(column)
        elif name in named:
            raise line.wrong(column, "is named twice")
        else:
            named[name] = Column(name, at)
    return named, unknown


def _refuse_misspelt(line: Line, named: Mapping[str, Column], unknown: Sequence[Column]) -> None:
    """Refuse a column that is likely to be one that is missing; others are not read.

    Raises:
        BadInput: which, and what it may be; or no column is known.
    """
    there = set(named)
    for group in _GROUPS:
        if any(named.keys() >= set(form) for form in group):
            there.update(*group)  # of a time in ms, the one in s is not missing
    for column in unknown:
        name = line.text(column).lower()
        if name in OTHER_NAMES and "exercise" not in named:
            continue  # the file has no sets: a counter, or a load of something else
        meant = _meant(name)
        if meant and there.isdisjoint(meant):
            raise line.wrong(column, f"is no known column; did you mean {' or '.join(meant)}?")
    if not named:
        raise line.wrong(unknown[0], f"is no known column; known are {', '.join(_KNOWN)}")


def _meant(name: str) -> list[str]:
    """The known columns of which an unknown one is likely to be one.

    >>> _meant("acx_g"), _meant("gyro_x"), _meant("gz"), _meant("repetitions"), _meant("steps")
    (['acc_x_g'], ['gyro_x_rad_s', 'gyro_x_deg_s'], ['gyro_z_rad_s', 'gyro_z_deg_s'], ['reps'], [])
    >>> _meant("gyrx"), _meant("gyroscope_y (deg/s)")[1], _meant("gyro_accuracy")
    (['gyro_x_rad_s', 'gyro_x_deg_s'], 'gyro_y_deg_s', [])
    """
    if name in OTHER_NAMES:
        return [OTHER_NAMES[name]]
    if near := difflib.get_close_matches(name, _KNOWN, 1, NEAR):
        return near
    gyro = GYRO_NAME.fullmatch(name)
    return [f"gyro_{gyro[1]}_{suffix}" for suffix in UNITS["gyro"]] if gyro else []


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


_GROUPS: Final = (
    [(name,) for name in TIMES],
    *([tuple(f"{kind}_{a}_{unit}" for a in AXES) for unit in UNITS[kind]] for kind in UNITS),
    *([(name,)] for name in ABOUT_SETS),
)
"""The columns of a time, of a sensor, and about sets: each group in one of several forms."""
_KNOWN: Final = tuple(name for group in _GROUPS for form in group for name in form)
