"""Reports as files: which commit, which machine, which figures."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from muvr.checkout import CHECKOUT
from muvr.terminal import Terminal
from schemas.report import Figure, Report


def write_report(name: str, seconds: float, figures: Sequence[Figure], folder: Path) -> Report:
    """Write a report to `folder/name.json`, as `Report.as_json` shapes it.

    Returns:
        The report as written: a value that is no number, such as a share of nothing, is None.
    """
    report = Report(name, _commit(), _machine(), seconds, tuple(map(measured, figures)))
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_json(), indent=2, allow_nan=False)
    (folder / f"{name}.json").write_text(text + "\n")
    return report


def measured(figure: Figure) -> Figure:
    """The figure with None for values that are not finite: nothing was measured.

    >>> measured(Figure("s4b_start", math.nan, floor=0.9)).verdict
    'not measured'
    """
    value, peer_value = (
        number if number is not None and math.isfinite(number) else None
        for number in (figure.value, figure.peer_value)
    )
    return replace(figure, value=value, peer_value=peer_value)


def show_figures(terminal: Terminal, title: str, figures: Sequence[Figure]) -> None:
    """The figures as a table: value, peer, floor, and whether it holds."""
    rows = [
        (
            figure.name,
            number_text(figure.value, figure.unit),
            f"{number_text(figure.peer_value, figure.unit)} {figure.peer}" if figure.peer else "",
            floor_text(figure),
            figure.verdict if figure.holds else figure.verdict.upper(),
        )
        for figure in map(measured, figures)
    ]
    terminal.table(title, ("figure", "value", "peer", "floor", ""), rows)


def number_text(value: float | None, unit: str) -> str:
    """A number with its unit, for people: four digits, or all before the point.

    >>> number_text(12_345.6, "B"), number_text(0.98765, ""), number_text(None, "B")
    ('12,346 B', '0.9877', 'not measured')
    """
    if value is None:
        return "not measured"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{text} {unit}".strip()


def floor_text(figure: Figure) -> str:
    """What a figure must reach or stay below, for people; "" where it need not."""
    if figure.floor is None:
        return ""
    return f"{'≤' if figure.ceiling else '≥'} {number_text(figure.floor, figure.unit)}"


def _commit() -> str:
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # a machine without git
        return "unknown"
    return result.stdout.strip() or "unknown"


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
