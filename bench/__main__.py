"""Run benchmarks by name and write a report for each.

    python -m bench                 all of them, one table
    python -m bench ingest rank     these
    python -m bench soak            the crash test; `fuzz` the hostile one

A benchmark is a module of this folder with `run(context) -> list[Figure]`. The exit code is 1 when
a figure that has a floor does not hold.
"""

import importlib
import sys
import time
from dataclasses import replace
from pathlib import Path

from muvr.context import open_context
from muvr.interruption import interrupt_on_signals
from muvr.reports import show_figures, write_report
from schemas.errors import MuvrError
from schemas.report import Figure

FOLDER = Path(__file__).parent
APART = ("soak", "fuzz")  # they take long, and have reports of their own


def names() -> list[str]:
    """The benchmarks that there are: modules of this folder with a `run`."""
    stems = sorted(path.stem for path in FOLDER.glob("*.py"))
    return [name for name in stems if "\ndef run(" in (FOLDER / f"{name}.py").read_text()]


def main(requested: list[str]) -> int:
    """Run the named benchmarks; all but the long ones when none is named."""
    context = open_context(None, as_json=False)
    unknown = sorted(set(requested) - set(names()))
    if unknown:
        context.terminal.fail(
            f"There is no benchmark {unknown[0]}; there are {', '.join(names())}."
        )
        return 2
    holds = True
    together: list[Figure] = []
    for name in requested or [name for name in names() if name not in APART]:
        began = time.monotonic()
        try:
            figures: list[Figure] = importlib.import_module(f"bench.{name}").run(context)
        except MuvrError as problem:
            context.terminal.fail(f"{name}: {problem}")
            holds = False
            continue
        reports = context.config.paths.reports
        folder = reports if name in APART else reports / "bench"
        report = write_report(name, time.monotonic() - began, figures, folder)
        show_figures(context.terminal, name, figures)
        together += [replace(figure, name=f"{name} {figure.name}") for figure in figures]
        holds = holds and report.holds
    if len(requested) != 1:
        show_figures(context.terminal, "benchmarks", together)
    return 0 if holds else 1


if __name__ == "__main__":
    interrupt_on_signals()
    sys.exit(main(sys.argv[1:]))
