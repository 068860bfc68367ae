"""Figures and reports: a missed floor is never hidden."""

import json
from pathlib import Path

import pytest

from muvr.reports import write_report
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
