"""What stretches teach, without Spark: sums, blind guesses, and what travels between them."""

import json
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from models.activity.codec import to_bytes
from models.activity.fit import fit_activity, fit_discriminant
from pipelines.activity import fit_everybody, may_serve
from pipelines.idle import (
    borders_from_bytes,
    borders_to_bytes,
    examples_of,
    f1,
    guesses,
    labelled_stretches,
    sums_of,
)
from pipelines.idle_rows import given_row, guessed_row, lesson_of, total_of
from schemas.errors import BadSamples
from tests.pipelines.workouts import LAYOUT, NOW, PARTS, stretch_of, walker

SET_S = sum(seconds for seconds, exercise in PARTS if exercise)


def partition(person: int, *stretches) -> pa.Table:
    rows = [
        {
            "user_id": str(walker(person)),
            "model_id": LAYOUT,
            "session_id": str(one.head.session_id),
            "started_at": one.head.started_at,
            "spans": json.dumps(one.head.spans),
            "revision": one.head.revision,
            "samples": one.samples,
        }
        for one in stretches
    ]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def two_days():
    table = partition(0, stretch_of(2, NOW + timedelta(days=1)), stretch_of(1))
    return examples_of(labelled_stretches(table), LAYOUT)


def test_stretches_come_in_order_and_the_newest_are_kept():
    several = [stretch_of(n, NOW + timedelta(hours=n)) for n in range(3)]
    table = partition(0, *reversed(several))
    assert [one.started_at for one in labelled_stretches(table)] == [
        one.head.started_at for one in several
    ]
    (kept,) = labelled_stretches(table, newest=1)
    assert kept.started_at == several[-1].head.started_at


def test_what_is_in_a_set_is_exercise_and_the_rest_is_idle(two_days):
    seconds = sums_of(two_days).label_seconds()
    lost = 4  # half a window at either end of a recording has no window of its own
    assert seconds["exercise"] == pytest.approx(2 * SET_S, abs=1)
    idle_s = sum(s for s, exercise in PARTS if not exercise)
    assert seconds["idle"] == pytest.approx(2 * (idle_s - lost), abs=2)


def test_a_days_guesses_come_from_the_other_day_and_find_its_sets(two_days):
    everybody = sums_of(two_days)
    found = guesses(two_days, everybody, LAYOUT, alone=True)
    assert sum(found.own) - found.own[1] == 2 * SET_S  # right and missed: all seconds of sets
    assert f1(found.own) > 0.95 > f1(found.rhythm)
    assert len(found.starts) == len(found.ends) == 4
    assert (found.own_later, found.incumbent) == ((0, 0, 0), (0, 0, 0))
    alone = {day: examples for day, examples in list(two_days.items())[:1]}
    nothing = guesses(alone, sums_of(alone), LAYOUT, alone=True)
    assert (sum(nothing.own), nothing.starts) == (0, [])


def test_what_serves_now_is_asked_about_later_days_only(two_days):
    everybody = sums_of(two_days)
    model = fit_discriminant(everybody, LAYOUT)
    found = guesses(two_days, everybody, LAYOUT, alone=True, incumbent=(model, NOW))
    assert sum(found.own_later) - found.own_later[1] == SET_S
    assert sum(found.incumbent) - found.incumbent[1] == SET_S


def test_the_two_passes_make_the_very_model_that_one_process_makes(two_days):
    """Bit for bit: rows of both passes against `fit_activity` on all examples at once."""
    table = partition(0, stretch_of(1), stretch_of(2, NOW + timedelta(days=1)))
    key = (str(walker(0)), LAYOUT)
    given = given_row(key, table)
    guessed = guessed_row(key, table, lesson=lesson_of(given, {}))
    assert [given[0]["status"], guessed[0]["status"]] == ["learned", "learned"]
    made = fit_everybody(given, guessed, LAYOUT)
    whole = fit_activity([e for day in two_days.values() for e in day], LAYOUT)
    assert to_bytes(made) == to_bytes(whole)
    np.testing.assert_array_equal(total_of(given, LAYOUT).moments, sums_of(two_days).moments)


def test_border_examples_travel_unchanged(two_days):
    found = guesses(two_days, sums_of(two_days), LAYOUT, alone=True)
    starts, ends = borders_from_bytes(borders_to_bytes(found.starts, found.ends))
    for several, before in ((starts, found.starts), (ends, found.ends)):
        for one, other in zip(several, before, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
            assert one[2] == other[2]
    assert borders_from_bytes(borders_to_bytes([], [])) == ([], [])


def test_broken_rows_are_reasons():
    table = partition(0, stretch_of(1), stretch_of(2, samples=b"\x93 no samples"))
    (row,) = given_row((str(walker(0)), LAYOUT), table)
    assert (row["status"], row.get("given")) == ("failed", None)
    assert "BadSamples" in row["reason"]
    spans = table.set_column(4, "spans", pa.array(["{}", "[[1]]"]))
    with pytest.raises(BadSamples):
        labelled_stretches(spans)


def test_a_layout_that_nobody_knows_is_a_reason_and_not_another_layout():
    (row,) = given_row((str(walker(0)), "ankle-acc3"), partition(0, stretch_of(1)))
    assert (row["model_id"], row["status"]) == ("ankle-acc3", "failed")
    assert "'ankle-acc3' is no layout of wrist data: wrist-acc6, wrist-acc3" in row["reason"]


@pytest.mark.parametrize(
    ("judged", "says"),
    [
        ({"own": (9, 1, 1), "rhythm": (7, 1, 3)}, ""),
        ({"own": (0, 0, 0), "rhythm": (7, 1, 3)}, "no other person and no other day"),
        ({"own": (7, 1, 3), "rhythm": (7, 1, 3)}, "without learning"),
        (
            {"own": (9, 1, 1), "rhythm": (7, 1, 3), "own_later": (8, 1, 2), "incumbent": (9, 1, 1)},
            "what serves now",
        ),
        (
            {"own": (9, 1, 1), "rhythm": (7, 1, 3), "own_later": (9, 1, 1), "incumbent": (8, 1, 2)},
            "",
        ),
    ],
)
def test_the_gate(judged, says):
    rungs = dict.fromkeys(("own", "rhythm", "own_later", "incumbent"), (0, 0, 0)) | judged
    reason = may_serve(rungs, 0.01)
    assert (says in reason) if says else reason == ""
