"""Output of commands, for people and as JSON."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from muvr.terminal import Terminal, plural


def test_a_cell_is_shown_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Names of exercises are people's own: none of them is a colour, or the end of one."""
    rows = [("[red]", "[/x]"), (datetime(2026, 11, 21, 18, 2, 0, 5, tzinfo=UTC), None)]
    Terminal().table("sets", ("exercise", "note"), rows)
    said = capsys.readouterr().out
    assert "[red]" in said
    assert "[/x]" in said
    assert "2026-11-21 18:02:00 " in said


def test_a_step_of_one_thing_is_done_and_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """It would be asked how many more there are."""
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


def test_programs_read_everything(capsys: pytest.CaptureFixture[str]) -> None:
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


RUN_ID = "01a2230e-46d7-702a-9dc6-497a712e7ed3"
HEAD = ("family", "run_id", "status", "started_at", "counts")


def test_an_id_is_whole_where_a_table_has_no_room_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what the next command is given."""
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


def test_words_begin_on_the_left_and_numbers_end_on_the_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("a", 5, "short"), ("b", 1234, "a longer one")]
    Terminal().table("", ("name", "sets", "why"), rows)
    said = capsys.readouterr().out
    assert "│    5 │ short        │" in said


def test_one_row_is_a_row() -> None:
    assert [plural(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def test_off_a_terminal_a_long_step_says_how_fast_it_is_of_late_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A minute for the first ten, as everything is cold; then one each second."""
    now = iter([0.0, 60.0, 70.0, 90.0, 100.0])
    monkeypatch.setattr("muvr.terminal.time.monotonic", lambda: next(now))
    terminal = Terminal()
    for done in (0, 10, 20, 40, 1000):
        terminal.step("people", done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "people ...",
        "people: 10 of 1,000, 0.17/s, about 1 h 39 min left",
        "people: 40 of 1,000, 1.0/s, about 16 min left",
        "people: 1,000 done",
    ]


def test_a_step_of_the_same_name_begins_anew_in_the_next_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when a schedule trains every night; its steps need not come in the same order."""
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
