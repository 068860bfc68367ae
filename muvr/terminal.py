"""Output of commands: progress with rate and time left, tables, or JSON with `--json`."""

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
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

from store.json_values import plain

PLAIN_EVERY_S = 15.0  # off a terminal: interval of a long step's progress lines
PAIR = 2  # columns of a name-value table, which is always folded
NUMBER = re.compile(r"([≤≥] )?[-+]?[0-9]|$")  # cells that are aligned to the right
PLAIN_WIDTH = 200  # off a terminal: the width of tables


class RateColumn(ProgressColumn):
    """A progress column with units per second."""

    def render(self, task: Task) -> Text:
        """The rate so far, empty before anything is done."""
        speed = task.finished_speed or task.speed
        return Text(rate_text(speed) if speed else "", style="dim")


class LastingConsole(Console):
    """A console whose reader may go away, as a `tee` that gets the same Ctrl-C as the command.

    What is printed then is dropped: rich would end the command at its next line, in the midst of
    stopping what it has started.
    """

    def on_broken_pipe(self) -> None:
        """Be quiet from now on."""
        self.quiet = True
        with suppress(OSError):  # one that is not a file of the system
            drop_output(self.file.fileno())

    def _check_buffer(self) -> None:  # where rich writes, and asks for broken pipes alone
        try:
            super()._check_buffer()
        except OSError:  # a terminal that was closed, or a full disk
            self.on_broken_pipe()


class Terminal:
    """Progress goes to stderr and results to stdout, so that `--json` can be piped.

    It is a `schemas.progress.Progress`: pass it to anything that reports steps. Off a terminal
    each step is one plain line when it begins and one when it is done.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        self._out = Console(file=sys.stdout, highlight=False, width=width)
        self._err = LastingConsole(file=sys.stderr, highlight=False)
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._printed: dict[str, tuple[float, int]] = {}  # step to time and count last printed

    def __enter__(self) -> "Terminal":
        self._tasks, self._printed = {}, {}  # a step of the same name starts again
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
            self._print_progress(what, done, total)
            return
        if what not in self._tasks:
            self._tasks[what] = self._live.add_task(what, total=total)
        self._live.update(self._tasks[what], completed=done, total=total)

    def _print_progress(self, what: str, done: int, total: int | None) -> None:
        """Off a terminal: a line when a step starts, from time to time, and when it is done."""
        now_s = time.monotonic()
        if what not in self._printed:
            self._printed[what] = (now_s, done)
            self._err.print(f"{what} ...")
        last_s, last = self._printed[what]
        if total is not None and done >= total and last_s < float("inf"):
            self._printed[what] = (float("inf"), done)
            single = (last, total) == (0, 1)  # not a number of rows that happens to be 1
            self._err.print(f"{what}: done" if single else f"{what}: {done:,} done")
        elif total is not None and last < done < total and now_s - last_s >= PLAIN_EVERY_S:
            self._printed[what] = (now_s, done)
            speed = (done - last) / (now_s - last_s)  # the latest rate: steps start slowly
            left = duration_text((total - done) / speed)
            self._err.print(f"{what}: {done:,} of {total:,}, {rate_text(speed)}, about {left} left")

    def say(self, line: str) -> None:
        """Print a line; nothing with --json."""
        if not self.as_json:
            self._out.print(line, soft_wrap=True, markup=False)

    def table(self, title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table; nothing with --json, nor where there are no rows.

        Where ids would be cut to fit the terminal, each row becomes lines of `name: value` instead,
        so that ids can be copied.
        """
        cells = [[cell_text(cell) for cell in row] for row in rows]
        if self.as_json or not cells:
            return
        self._out.print(Text(title, style="italic"), soft_wrap=True)  # rich folds it to the table
        if len(head) > PAIR and min_width([head, *cells]) > self._out.width:
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
        """Print a row as `name: value`, wrapped; lines after the first are indented."""
        line = ""
        for name, cell in zip(head, row, strict=True):
            field = f"{name}: {cell}" if name else cell
            if line and cell and len(line) + 2 + len(field) > self._out.width:
                self.say(line)
                line = " "
            line += ("  " if line else "") + field if cell else ""
        self.say(line)

    def answer(self, values: Mapping[str, object] | Sequence[object]) -> None:
        """Print the whole result as JSON; nothing without --json.

        Bytes are hexadecimal, and numbers that JSON does not have (NaN, infinities) are null. It is
        flushed: a command may go on after its answer.
        """
        if self.as_json:
            text = json.dumps(plain(values), indent=2, default=_json_value, allow_nan=False)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def notes(self, sentences: Iterable[str]) -> None:
        """Print sentences on stderr, with --json too: what was left out, or read otherwise."""
        for sentence in sentences:
            self._err.print(Text.assemble(("note: ", "bold"), sentence), soft_wrap=True)

    def fail(self, sentence: str) -> None:
        """Print an error on stderr."""
        self._err.print(Text.assemble(("error: ", "bold red"), sentence), soft_wrap=True)


def drop_output(descriptor: int) -> None:
    """Let an open file lead nowhere: what is still to be written to it is dropped."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def rate_text(speed: float) -> str:
    """Units per second, with decimals for small rates.

    >>> rate_text(1396.2), rate_text(1.2345), rate_text(0.0421)
    ('1,396/s', '1.2/s', '0.04/s')
    """
    return f"{speed:,.{0 if speed >= 10 else 1 if speed >= 1 else 2}f}/s"


def duration_text(seconds: float) -> str:
    """A duration, rounded as an estimate.

    >>> duration_text(95.4), duration_text(2226), duration_text(9000)
    ('95 s', '37 min', '2 h 30 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def min_width(rows: Iterable[Sequence[str]]) -> int:
    """The width of the narrowest table in which no word is cut.

    >>> min_width([("family", "run"), ("load", "01a2230e-46d7 done")])
    26
    """
    columns = list(zip(*rows, strict=True))
    words = [max(map(len, " ".join(column).split()), default=0) for column in columns]
    return sum(words) + 3 * len(words) + 1


def cell_text(value: object) -> str:
    """A value as a cell of a table: times to the second, six significant digits; "" for None.

    >>> cell_text({"error": 1 / 3, "by": {"own": 1.0}, "reason": "", "for": ["a", "b"]})
    'error: 0.333333, by: {own: 1}, for: a, b'
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float) and abs(value) < 1e6:
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        texts = {
            name: f"{{{cell_text(item)}}}" if isinstance(item, Mapping) else cell_text(item)
            for name, item in value.items()
            if cell_text(item)
        }
        return ", ".join(f"{name}: {text}" for name, text in texts.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(cell_text(item) for item in cast("Sequence[object]", value))
    return str(value)


def _json_value(value: object) -> str:
    if isinstance(value, date):  # or a datetime: RFC 3339, as over HTTP
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
