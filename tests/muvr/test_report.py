"""Figures and reports: a missed floor is never hidden."""

import json
from pathlib import Path

import pytest

from muvr.reports import show_figures, write_report
from muvr.terminal import Terminal
from schemas.report import Figure, Report


@pytest.mark.parametrize(
    ("figure", "holds"),
    [
        (Figure("a", 1.0), None),
        (Figure("a", 1.0, floor=1.0), True),
        (Figure("a", 0.9, floor=1.0), False),
        (Figure("a", None, floor=1.0), False),
        (Figure("a", 2.0, floor=1.0, ceiling=True), False),
        (Figure("a", 1.0, floor=1.0, ceiling=True), True),
    ],
)
def test_figures_are_compared_with_their_floor_or_ceiling(figure: Figure, holds: bool | None):
    assert figure.holds is holds
    assert Report("r", "c", "m", 1.0, (figure,)).holds is (holds is not False)


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert write_report("demo", 1.25, [], tmp_path).commit == "unknown"


def test_the_report_file_has_the_documented_shape(tmp_path: Path):
    figure = Figure("x", 3.0, "ms", peer="other", peer_value=2.0, floor=1.0, data="d")
    write_report("demo", 1.25, [figure], tmp_path)
    report = json.loads((tmp_path / "demo.json").read_text())
    assert set(report) == {"report", "commit", "machine", "seconds", "figures"}
    (written,) = report["figures"]
    assert set(written) == {
        "name", "value", "unit", "peer", "peer_value", "ratio", "floor", "holds", "data",
        "protocol",
    }  # fmt: skip
    assert (written["ratio"], written["holds"], written["protocol"]) == (1.5, True, None)


def test_values_that_are_no_numbers_are_reported_as_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """NaN is not JSON, and a share of nothing has missed no floor."""
    nan, infinite = float("nan"), float("inf")
    figures = [Figure("x", nan, peer="other", peer_value=infinite, floor=1.0), Figure("y", 2.0)]
    report = write_report("demo", 1.25, figures, tmp_path)
    first, second = json.loads((tmp_path / "demo.json").read_text(), parse_constant=pytest.fail)[
        "figures"
    ]
    assert (first["value"], first["peer_value"], first["holds"]) == (None, None, False)
    assert report.figures[0].verdict == "not measured"
    assert second["value"] == 2.0
    show_figures(Terminal(), "demo", figures)
    shown = capsys.readouterr().out
    assert "NOT MEASURED" in shown
    assert "nan" not in shown
