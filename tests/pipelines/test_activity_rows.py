"""The three passes that run on executors, without Spark: their rows, and cross-fitted borders."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from models.activity.codec import to_bytes
from pipelines.activity.examples import labelled_stretches, sums_of
from pipelines.activity.fits import (
    border_context,
    border_examples_of,
    evaluation_context,
    fit_borders,
    fit_layout,
    halves_of,
    total_of,
)
from pipelines.activity.gate import pooled_seconds, refusal_reason
from pipelines.activity.rows import (
    BORDERS,
    BorderHalves,
    EvaluationContext,
    borders_row,
    evaluation_row,
    sums_row,
)
from pipelines.activity.seconds import f1
from pipelines.lifecycle.incumbents import EvaluationPeriod, IncumbentBytes
from schemas.errors import BadSamples
from tests.pipelines.workouts import (
    LAYOUT,
    NO_BORDERS,
    NOW,
    far_off,
    partition,
    stretch_of,
    walker,
)


def test_model_from_pass_rows_equals_model_fitted_in_one_process(two_days, whole):
    """Bit for bit: rows of the first two passes against `fit_activity` on all examples at once."""
    table = partition(0, stretch_of(1), stretch_of(2, NOW + timedelta(days=1)))
    key = (str(walker(0)), LAYOUT)
    sums_rows = sums_row(key, table)
    border_rows = borders_row(key, table, context=border_context(sums_rows))
    assert [sums_rows[0]["status"], border_rows[0]["status"]] == ["learned", "learned"]
    made = fit_layout(sums_rows, border_rows, LAYOUT)
    assert to_bytes(made) == to_bytes(whole)
    np.testing.assert_array_equal(total_of(sums_rows).moments, sums_of(two_days).moments)


@pytest.fixture(scope="module")
def three():
    """Tables of three people, with their sums and their border examples."""
    keys = [(str(walker(n)), LAYOUT) for n in range(3)]
    tables = [partition(n, stretch_of(10 + n)) for n in range(3)]
    sums_rows = [
        row for key, table in zip(keys, tables, strict=True) for row in sums_row(key, table)
    ]
    context = border_context(sums_rows)
    pairs = zip(keys, tables, strict=True)
    border_rows = [row for key, table in pairs for row in borders_row(key, table, context=context)]
    return keys, tables, context, pa.Table.from_pylist(border_rows, schema=BORDERS).to_pylist()


def same_borders(one, other) -> bool:
    return all(np.array_equal(a.weights, b.weights) for a, b in zip(one, other, strict=True))


def test_users_are_excluded_from_the_evaluation_of_their_own_borders(three):
    keys, _, _, border_rows = three
    lessons = [one for _, one in border_examples_of(border_rows)]
    halves = halves_of(border_rows, by_day=False)
    users = [user for user, _ in keys]
    first, second = fit_borders([lessons[0], lessons[2]]), fit_borders([lessons[1]])
    assert same_borders(halves.unseen_by(users[1]), first)
    assert same_borders(halves.unseen_by(users[0]), second)
    assert same_borders(halves.unseen_by(users[2]), second)
    assert not same_borders(first, second)


def test_days_of_a_single_user_are_evaluated_with_borders_of_the_other_days(three):
    keys, _, _, border_rows = three
    days = ["2026-11-01", "2026-11-02", "2026-11-03"]
    one = {**border_rows[0], "days": days, "borders": [row["borders"][0] for row in border_rows]}
    halves = halves_of([one], by_day=True)
    lessons = [context for _, context in border_examples_of([one])]
    assert same_borders(halves.unseen_by(days[1]), fit_borders([lessons[0], lessons[2]]))
    assert same_borders(halves.unseen_by(days[0]), fit_borders([lessons[1]]))
    single = halves_of([{**one, "days": days[:1], "borders": one["borders"][:1]}], by_day=False)
    assert single.unseen_by(keys[0][0]) == NO_BORDERS


def seconds_in(key, table, context):
    [row] = evaluation_row(key, table, context=context)
    return json.loads(row["seconds"])["own"]


def test_each_half_of_the_users_is_evaluated_with_borders_of_the_other_half(three, whole):
    keys, tables, context, border_rows = three
    good, bad = (whole.start, whole.end), (far_off(len(whole.start.mean)), None)
    context = replace(
        evaluation_context(context, border_rows, {}),
        halves={LAYOUT: BorderHalves(frozenset({keys[0][0]}), of_first=bad, of_second=good)},
    )
    assert f1(seconds_in(keys[0], tables[0], context)) > 0.98
    assert f1(seconds_in(keys[1], tables[1], context)) < 0.9


def test_single_user_is_split_into_halves_by_day(whole):
    table = partition(0, stretch_of(1), stretch_of(2, NOW + timedelta(days=1)))
    key = (str(walker(0)), LAYOUT)
    context = border_context(sums_row(key, table))
    first = frozenset({NOW.date().isoformat()})
    good, bad = (whole.start, whole.end), (far_off(len(whole.start.mean)), None)

    def own(*halves) -> float:
        return f1(
            seconds_in(
                key, table, EvaluationContext(context, {LAYOUT: BorderHalves(first, *halves)}, {})
            )
        )

    worst, best = own(bad, bad), own(good, good)
    assert worst < own(good, bad) < best
    assert worst < own(bad, good) < best


def test_day_dated_ahead_evaluates_only_an_incumbent_that_was_learned_without_it(whole):
    """Its date does not tell: the revision is the time of the server."""
    day, learned_at = NOW + timedelta(hours=18), NOW + timedelta(hours=1)
    key = (str(walker(0)), LAYOUT)
    incumbents = {LAYOUT: IncumbentBytes(to_bytes(whole), EvaluationPeriod(learned_at))}

    def exercise_s(*known_at) -> int:
        dated = [stretch_of(2 + n, day, known_at=at) for n, at in enumerate(known_at)]
        table = partition(0, stretch_of(1), *dated)
        context = border_context(sums_row(key, table))
        border_rows = borders_row(key, table, context=context)
        context = evaluation_context(context, border_rows, incumbents)
        [row] = evaluation_row(key, table, context=context)
        true_positives, _, false_negatives = json.loads(row["seconds"])["incumbent"]
        return true_positives + false_negatives

    old, new = learned_at, learned_at + timedelta(seconds=1)
    assert exercise_s(old) == 0
    assert exercise_s(new) > 0
    assert exercise_s(new, old) == 0, "a day is never on both sides"


def test_broken_rows_fail_with_a_reason():
    table = partition(0, stretch_of(1), stretch_of(2, samples=b"\x93 no samples"))
    (row,) = sums_row((str(walker(0)), LAYOUT), table)
    assert (row["status"], row.get("sums")) == ("failed", None)
    assert "BadSamples" in row["reason"]
    spans = table.set_column(4, "spans", pa.array(["{}", "[[1]]"]))
    with pytest.raises(BadSamples):
        labelled_stretches(spans)


def test_unknown_layout_fails_with_a_reason():
    (row,) = sums_row((str(walker(0)), "ankle-acc3"), partition(0, stretch_of(1)))
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
def test_refusal_reason_for_baseline_incumbent_and_missing_evaluation(judged, says):
    rungs = dict.fromkeys(("own", "rhythm", "own_later", "incumbent"), (0, 0, 0)) | judged
    reason = refusal_reason(rungs, 0.01)
    assert (says in reason) if says else reason == ""


def test_seconds_are_summed_over_users_some_of_whom_have_none_of_a_rung():
    seconds = ({"own": [1, 2, 3], "rhythm": [4, 5, 6]}, {}, {"own": [10, 20, 30]})
    rows = [{"seconds": json.dumps(of_user) if of_user else ""} for of_user in seconds]
    summed = {"own": (11, 22, 33), "rhythm": (4, 5, 6)}
    assert pooled_seconds(rows) == dict.fromkeys(pooled_seconds([]), (0, 0, 0)) | summed
    assert not any(map(sum, pooled_seconds([]).values()))
