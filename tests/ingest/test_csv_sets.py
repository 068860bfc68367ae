"""CSV imports: lines with an exercise form sets."""

from pathlib import Path

import pytest

from schemas.errors import BadInput
from tests.ingest.csv_watch import HEAD, STEP_NS, T0_NS, line, read, written


def test_consecutive_lines_with_an_exercise_form_a_set(tmp_path: Path):
    about = [
        *[()] * 2,
        *[("bench press", 1), ("bench press", 1, 10, 62.5), ("bench press", 1)],
        *[("bench press", 2, 8)] * 2,
        (),
        *[("row",)] * 3,
    ]
    (one,) = read(written(tmp_path, HEAD, *(line(n, *what) for n, what in enumerate(about))))
    spans = [((s.start_ns - T0_NS) // STEP_NS, (s.end_ns - T0_NS) // STEP_NS) for s in one.sets]
    assert spans == [(2, 5), (5, 7), (8, 11)]
    assert [(s.exercise, s.reps, s.weight_kg) for s in one.sets] == [
        ("bench press", 10, 62.5),
        ("bench press", 8, None),
        ("row", None, None),
    ]


@pytest.mark.parametrize(
    ("pause_s", "number", "spans_s"),
    [
        (60, "", [(0, 64)]),
        (61, "", [(0, 2), (63, 65)]),
        (61, "1", [(0, 65)]),
    ],
    ids=["shorter", "longer", "longer in a set with a number"],
)
def test_a_minute_without_lines_ends_a_set_that_has_no_number(
    tmp_path: Path, pause_s: int, number: str, spans_s: list[tuple[int, int]]
):
    """Two seconds, and two more after the watch was off."""
    head = "time_ms,acc_x_g,acc_y_g,acc_z_g,exercise,set"
    twice_ms = [n * 20 + begin for begin in (0, 1980 + pause_s * 1000) for n in range(100)]
    lines = [f"{T0_NS // 10**6 + t_ms},0,0,1,row,{number}" for t_ms in twice_ms]
    (one,) = read(written(tmp_path, head, *lines))
    spans_ms = [((s.start_ns - T0_NS) // 10**6, (s.end_ns - T0_NS) // 10**6) for s in one.sets]
    clipped = [(round(start / 1000), round(end / 1000)) for start, end in spans_ms]
    assert clipped == spans_s


def test_a_set_that_is_too_long_is_refused_with_its_position(tmp_path: Path):
    """Seven hours, a line every second."""
    head = "time_ms,acc_x_g,acc_y_g,acc_z_g,exercise"
    lines = [f"{T0_NS // 10**6 + n * 1000},0,0,1,cycling" for n in range(7 * 3600)]
    with pytest.raises(BadInput, match=r"line 2, column exercise: 'cycling' cannot be of a set"):
        read(written(tmp_path, head, *lines))


def test_set_continues_over_differences_in_spaces_and_unicode_form(tmp_path: Path):
    typed = ("Knä hebe", " Kna\u0308  hebe", "Knä\u00a0hebe ", "Knä hebe", "knä hebe")
    (one,) = read(written(tmp_path, HEAD, *(line(n, name) for n, name in enumerate(typed))))
    assert [s.exercise for s in one.sets] == ["Knä hebe", "knä hebe"]


@pytest.mark.parametrize("word", ["idle", "Rest", "NONE", "null", "NaN", "0", "-"])
def test_words_for_nothing_are_no_exercise(tmp_path: Path, word: str):
    about = (
        [(word, 0, 0, 0.0)] * 2 + [("row", "nan", "nan", "")] * 3 + [(word, "-", "nan", "0")] * 2
    )
    (one,) = read(written(tmp_path, HEAD, *(line(n, *what) for n, what in enumerate(about))))
    (done,) = one.sets
    assert (done.exercise, done.reps, done.weight_kg) == ("row", None, None)
    assert ((done.start_ns - T0_NS) // STEP_NS, (done.end_ns - T0_NS) // STEP_NS) == (2, 5)
    (said,) = one.remarks
    assert said.endswith(f"lines whose exercise is {word} belong to no set.")
