"""The documentation of the mart's tables matches the registry."""

from pathlib import Path
from typing import get_args

import pytest

from schemas.mart import FRESHNESS, MART, described
from schemas.statuses import RunStatus

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "analysts.md"
PROMISED = (
    *("sessions", "sets", "planned_sets", "deviations", "predictions", "models", "evaluations"),
    *("champions", "clusters", "recommendations", "ranks", "job_runs", "dead_letters"),
)


def test_mart_tables_are_the_promised_ones():
    assert tuple(MART) == PROMISED


@pytest.mark.parametrize("name", PROMISED)
def test_analyst_guide_matches_the_registry(name: str):
    table = MART[name]
    assert described(table) in GUIDE.read_text()
    assert len({column.name for column in table.columns}) == len(table.columns)
    assert all(column.description and column.example for column in table.columns)


def test_guide_describes_how_to_ask_for_freshness():
    assert described(FRESHNESS) in GUIDE.read_text()
    assert FRESHNESS.name not in MART


def test_status_column_lists_every_run_status():
    (status,) = [column for column in MART["job_runs"].columns if column.name == "status"]
    assert status.description.split(", ") == list(get_args(RunStatus))
    assert "not-learned" in status.description
