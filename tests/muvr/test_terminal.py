"""Output of commands, for people and as JSON."""

import io
import json
import math
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest

from muvr.terminal import Terminal


def test_table_cells_are_not_parsed_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Exercise names are free text and must not be read as colour tags."""
    rows = [("[red]", "[/x]"), (datetime(2026, 11, 21, 18, 2, 0, 5, tzinfo=UTC), None)]
    Terminal().table("sets", ("exercise", "note"), rows)
    said = capsys.readouterr().out
    assert "[red]" in said
    assert "[/x]" in said
    assert "2026-11-21 18:02:00 " in said


def test_a_single_item_step_is_reported_without_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    """A count of 1 of 1 would suggest that there are more."""
    with Terminal() as terminal:
        terminal.step("starting service", 0, 1)
        terminal.step("starting service", 1, 1)
        terminal.step("copying files", 0, 1200)
        terminal.step("copying files", 1200, 1200)
        terminal.step("rows", 1, 1)
    assert capsys.readouterr().err == (
        "starting service ...\nstarting service: done\n"
        "copying files ...\ncopying files: 1,200 done\nrows ...\nrows: 1 done\n"
    )


def test_json_output_serialises_all_value_types(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 21, 18, 2, tzinfo=UTC)
    values = {"sha256": b"\x00\xff", "run": UUID(int=1), "share": 1 / 3, "at": at}
    Terminal(as_json=True).answer(values)
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "sha256": "00ff",
        "run": str(UUID(int=1)),
        "share": 1 / 3,
        "at": "2026-11-21T18:02:00+00:00",
    }


def test_json_output_has_null_for_numbers_that_json_does_not_have(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the mean over nobody, in the metrics of a run."""
    Terminal(as_json=True).answer([{"ndcg": math.nan, "by": {"own": [math.inf, 0.5]}}])
    answer = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert answer == [{"ndcg": None, "by": {"own": [None, 0.5]}}]


def test_json_output_is_written_before_the_command_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))
    Terminal(as_json=True).answer({"url": "here"})
    assert json.loads(pipe.getvalue()) == {"url": "here"}


RUN_ID = "01a2230e-46d7-702a-9dc6-497a712e7ed3"
HEAD = ("family", "run_id", "status", "started_at", "counts")


def test_ids_are_not_truncated_in_narrow_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids are copied into the next command."""
    monkeypatch.setattr("muvr.terminal.PLAIN_WIDTH", 80)
    narrow = Terminal()
    at = datetime(2026, 11, 28, 16, 47, 47, tzinfo=UTC)
    narrow.table("runs", HEAD, [("exercise", RUN_ID, "nothing-to-do", at, {"promoted": 20})])
    said = capsys.readouterr().out
    assert said == (
        f"runs\nfamily: exercise  run_id: {RUN_ID}\n"
        "   status: nothing-to-do  started_at: 2026-11-28 16:47:47  counts: promoted: 20\n"
    )
    narrow.table("model", ("what", "value"), [("sha256", "0f" * 32)])
    said = capsys.readouterr().out
    assert "…" not in said
    assert said.count("0f") == 32
    assert max(map(len, said.splitlines())) <= 80


def test_words_are_left_aligned_and_numbers_right_aligned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("a", 5, "short"), ("b", 1234, "a longer one")]
    Terminal().table("", ("name", "sets", "why"), rows)
    said = capsys.readouterr().out
    assert "│    5 │ short        │" in said


def test_plain_progress_shows_the_recent_rate_and_the_remaining_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first ten take a minute as caches are cold; then one per second."""
    now = iter([0.0, 60.0, 70.0, 90.0, 100.0])
    monkeypatch.setattr("muvr.terminal.time", SimpleNamespace(monotonic=lambda: next(now)))
    terminal = Terminal()
    for done in (0, 10, 20, 40, 1000):
        terminal.step("people", done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "people ...",
        "people: 10 of 1,000, 0.17/s, about 1 h 39 min left",
        "people: 40 of 1,000, 1.0/s, about 16 min left",
        "people: 1,000 done",
    ]


def test_a_step_with_the_same_name_restarts_in_the_next_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with nightly scheduled training; the steps may come in another order."""
    terminal = Terminal()
    for steps in (("users learned",), ("users learned", "users")):
        with terminal:
            for what in steps:
                terminal.step(what, 2, 2)
    said = ["users learned ...", "users learned: 2 done"]
    assert capsys.readouterr().err.splitlines() == [*said, *said, "users ...", "users: 2 done"]
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    live = Terminal()
    for steps in (("users", "users learned"), ("users learned",)):
        with live:
            for what in steps:
                live.step(what, 2, 2)
    assert "users learned" in capsys.readouterr().err
