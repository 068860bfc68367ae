"""What a command shows: progress with rate and time left, tables for people, JSON for machines."""

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

PLAIN_EVERY_S = 15.0  # off a terminal a long step says this often how far it is
PAIR = 2  # columns of a table that is folded: what, and its value
NUMBER = re.compile(r"([≤≥] )?[-+]?[0-9]|$")  # how a cell begins that is read from the right
PLAIN_WIDTH = 200  # off a terminal nothing has 80 columns: a table is cut later


class RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """The rate so far, empty before anything is done."""
        speed = task.finished_speed or task.speed
        return Text(rate(speed) if speed else "", style="dim")


class Terminal:
    """Progress goes to stderr and results to stdout, so that `--json` can be piped.

    It is a `schemas.progress.Progress`: pass it to anything that reports steps. Off a terminal
    each step is one plain line when it begins and one when it is done.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        self._out = Console(file=sys.stdout, highlight=False, width=width)
        self._err = Console(file=sys.stderr, highlight=False)
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, tuple[float, int]] = {}  # step: when last said, and how far it was

    def __enter__(self) -> "Terminal":
        self._tasks, self._said = {}, {}  # a step of the same name begins anew
        if self._err.is_terminal:
            self._live = Progress(
                SpinnerColumn(finished_text="[green]✓[/]"),
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                RateColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._err,
            )
            self._live.start()
        return self

    def __exit__(self, *problem: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def step(self, what: str, done: int, total: int | None = None) -> None:
        """Show how far a step is."""
        if self._live is None:
            self._plain(what, done, total)
            return
        if what not in self._tasks:
            self._tasks[what] = self._live.add_task(what, total=total)
        self._live.update(self._tasks[what], completed=done, total=total)

    def _plain(self, what: str, done: int, total: int | None) -> None:
        now_s = time.monotonic()
        if what not in self._said:
            self._said[what] = (now_s, done)
            self._err.print(f"{what} ...")
        said_s, said = self._said[what]
        if total is not None and done >= total and said_s < float("inf"):
            self._said[what] = (float("inf"), done)
            one_thing = (said, total) == (0, 1)  # and no number of rows, which happens to be 1
            self._err.print(f"{what}: done" if one_thing else f"{what}: {done:,} done")
        elif total is not None and said < done < total and now_s - said_s >= PLAIN_EVERY_S:
            self._said[what] = (now_s, done)
            speed = (done - said) / (now_s - said_s)  # the latest rate: a step begins slowly
            left = lasting((total - done) / speed)
            self._err.print(f"{what}: {done:,} of {total:,}, {rate(speed)}, about {left} left")

    def say(self, line: str) -> None:
        """A line for people; nothing under --json."""
        if not self.as_json:
            self._out.print(line, soft_wrap=True, markup=False)

    def table(self, title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for people; nothing under --json, nor where there are no rows.

        Where ids would be cut to fit the terminal, each row is lines of its own: people copy them.
        """
        cells = [[shown(cell) for cell in row] for row in rows]
        if self.as_json or not cells:
            return
        self._out.print(Text(title, style="italic"), soft_wrap=True)  # rich folds it to the table
        if len(head) > PAIR and least_width([head, *cells]) > self._out.width:
            for row in cells:
                self._lines(head, row)
            return
        table = Table(header_style="bold")
        for name, column in zip(head, zip(*cells, strict=True), strict=True):
            right = all(NUMBER.match(cell) for cell in column)
            table.add_column(name, justify="right" if right else "left", overflow="fold")
        for row in cells:
            table.add_row(*map(Text, row))
        self._out.print(table)

    def _lines(self, head: Sequence[str], row: Sequence[str]) -> None:
        """A row as `name: value`, as many to a line as there is room for; the first stands out."""
        line = ""
        for name, cell in zip(head, row, strict=True):
            said = f"{name}: {cell}" if name else cell
            if line and cell and len(line) + 2 + len(said) > self._out.width:
                self.say(line)
                line = " "
            line += ("  " if line else "") + said if cell else ""
        self.say(line)

    def answer(self, values: Mapping[str, object] | Sequence[object]) -> None:
        """The whole result as JSON; nothing without --json. Bytes are hexadecimal."""
        if self.as_json:
            sys.stdout.write(json.dumps(values, indent=2, default=_plain) + "\n")

    def fail(self, sentence: str) -> None:
        """The one sentence of an error, on stderr."""
        self._err.print(Text.assemble(("error: ", "bold red"), sentence), soft_wrap=True)


def counted(number: int, what: str) -> str:
    """So many things, in words.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def rate(speed: float) -> str:
    """Units a second, with decimals where they are few.

    >>> rate(1396.2), rate(1.2345), rate(0.0421)
    ('1,396/s', '1.2/s', '0.04/s')
    """
    return f"{speed:,.{0 if speed >= 10 else 1 if speed >= 1 else 2}f}/s"


def lasting(seconds: float) -> str:
    """A duration, no more exact than a guess is.

    >>> lasting(95.4), lasting(2226), lasting(9000)
    ('95 s', '37 min', '2 h 30 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def least_width(rows: Iterable[Sequence[str]]) -> int:
    """The columns that a table needs in which no word is cut.

    >>> least_width([("family", "run"), ("load", "01a2230e-46d7 done")])
    26
    """
    columns = list(zip(*rows, strict=True))
    words = [max(map(len, " ".join(column).split()), default=0) for column in columns]
    return sum(words) + 3 * len(words) + 1


def shown(value: object) -> str:
    """A value as a cell of a table: times to the second, six digits of a fraction; "" for None.

    >>> shown({"promoted": 20, "error": 1 / 3, "by": {"own": 1.0}, "reason": "", "for": ["a", "b"]})
    'promoted: 20, error: 0.333333, by: {own: 1}, for: a, b'
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float) and abs(value) < 1e6:
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name}: {{{shown(one)}}}" if isinstance(one, Mapping) else f"{name}: {shown(one)}"
            for name, one in value.items()
            if shown(one)
        )
    if isinstance(value, list | tuple):
        return ", ".join(shown(one) for one in cast("Sequence[object]", value))
    return str(value)


def _plain(value: object) -> str:
    if isinstance(value, date):  # a time as well: RFC 3339, as over HTTP
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
