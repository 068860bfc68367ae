"""What a command shows to people and to programs."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from muvr.terminal import Terminal


def test_a_cell_is_shown_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Names of exercises are people's own: none of them is a colour, or the end of one."""
    rows = [("[red]", "[/x]"), (datetime(2026, 11, 21, 18, 2, 0, 5, tzinfo=UTC), None)]
    Terminal().table("sets", ("exercise", "note"), rows)
    said = capsys.readouterr().out
    assert "[red]" in said
    assert "[/x]" in said
    assert "2026-11-21 18:02:00 " in said


def test_programs_read_everything(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(as_json=True).answer({"sha256": b"\x00\xff", "run": UUID(int=1), "share": 1 / 3})
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"sha256": "00ff", "run": str(UUID(int=1)), "share": 1 / 3}
