"""Labelled sets in CSV files: consecutive lines with the same exercise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from ingest.importers.csv_lines import NOTHING, Column, Line
from ingest.importers.imported import ImportedSet
from schemas.events import SetConfirmation
from schemas.names import normalised_name
from schemas.times import NS_PER_S, time_at

MAX_PAUSE_NS = 60 * NS_PER_S
"""Lines of one exercise that are further apart are two sets: a device that is switched off between
sets leaves no line without an exercise. A number in `set` says that they are one."""

NO_EXERCISE = NOTHING | {"0", "idle", "rest"}
"""What recordings call the lines between sets, in any case: no exercise has such a name."""


@dataclass(slots=True)
class _OpenSet:
    """A set while its lines are read; `line_of` has the first line that gives each number."""

    first: Line
    name: tuple[str, str]
    start_ns: int
    last_ns: int
    line_of: dict[str, Line]


class SetsInLines:
    """Collects the sets that the lines of a file name.

    Args:
        columns: the columns about sets that the file has, by name.

    Attributes:
        between: the words of `NO_EXERCISE` that stood for no exercise, as they were written.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.between: set[str] = set()
        self._columns = columns
        self._sets: list[_OpenSet] = []
        self._in_set = False  # whether the previous line belongs to the last set

    def add(self, line: Line, at_ns: int) -> None:
        """Add the next line, which is of time `at_ns`.

        Raises:
            BadInput: it contradicts other lines of its set, or has numbers without an exercise.
        """
        exercise, name = normalised_name(self._text(line, "exercise")), self._filled(line, "set")
        numbers = {
            column: line.number_in(self._columns[column])
            for column in ("reps", "weight_kg")
            if self._filled(line, column)
        }
        if exercise.lower() in NO_EXERCISE:
            self.between.update({exercise} - {""})
            stray = [column for column, value in numbers.items() if value]
            stray = ["set", *stray] if name not in ("", "0") else stray
            if stray:
                raise line.wrong(self._columns[stray[0]], "stands where no exercise is named")
            self._in_set = False
            return
        if not self._goes_on(exercise, name, at_ns):
            self._sets.append(_OpenSet(line, (exercise, name), at_ns, at_ns, {}))
        self._in_set = True
        self._sets[-1].last_ns = at_ns
        self._add_numbers(line, numbers)

    def found(self, step_ns: int) -> Iterator[ImportedSet]:
        """The sets in time order; a set ends one step after its last line.

        Raises:
            BadInput: one that the service would not take.
        """
        for read in self._sets:
            end_ns = read.last_ns + step_ns
            confirmed = self._checked(read, end_ns)
            yield ImportedSet(
                exercise=confirmed.exercise,
                start_ns=read.start_ns,
                end_ns=end_ns,
                reps=confirmed.reps,
                weight_kg=confirmed.weight_kg,
            )

    def _goes_on(self, exercise: str, name: str, at_ns: int) -> bool:
        """Whether a line belongs to the set of the line above."""
        if not self._in_set or self._sets[-1].name != (exercise, name):
            return False
        return bool(name) or at_ns - self._sets[-1].last_ns <= MAX_PAUSE_NS

    def _add_numbers(self, line: Line, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            column = self._columns[name]
            before = self._sets[-1].line_of.setdefault(name, line)
            if before.number_in(column) != value:
                why = f"contradicts line {before.number} of the same set: {before.text(column)!r}"
                raise line.wrong(column, why)

    def _checked(self, read: _OpenSet, end_ns: int) -> SetConfirmation:
        """The confirmation that will be sent, checked by the rules of the service."""
        values = {name: line.number_in(self._columns[name]) for name, line in read.line_of.items()}
        numbers = {name: int(v) if v.is_integer() else v for name, v in values.items()}
        try:
            return SetConfirmation.model_validate(
                {
                    "exercise": read.name[0],
                    "started_at": time_at(read.start_ns // 1000),
                    "ended_at": time_at(end_ns // 1000),
                    **numbers,
                }
            )
        except ValidationError as problem:
            first = problem.errors()[0]
            named = str(first["loc"][0]) if first["loc"] else ""
            column = self._columns.get(named, self._columns["exercise"])  # times are of many lines
            line = read.line_of.get(named, read.first)
            raise line.wrong(column, f"cannot be of a set: {first['msg']}") from None

    def _text(self, line: Line, column: str) -> str:
        return line.text(self._columns[column]) if column in self._columns else ""

    def _filled(self, line: Line, column: str) -> str:
        return line.filled(self._columns[column]) if column in self._columns else ""
