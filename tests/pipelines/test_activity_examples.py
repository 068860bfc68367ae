"""Training examples from labelled stretches, without Spark: sums, held-out evaluation, codec."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from models.activity.fit import fit_discriminant
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.activity.examples import (
    BorderExamples,
    border_examples_from_bytes,
    border_examples_to_bytes,
    examples_of,
    labelled_stretches,
    newest_border_examples,
    sums_of,
)
from pipelines.activity.rows import sums_row
from pipelines.activity.seconds import compared, evaluate_user, f1, seconds_by
from pipelines.lifecycle.incumbents import EvaluationPeriod
from tests.pipelines.workouts import (
    LAYOUT,
    NO_BORDERS,
    NOW,
    PARTS,
    evening,
    far_off,
    partition,
    stretch_of,
    walker,
)

SET_S = sum(seconds for seconds, exercise in PARTS if exercise)
LATER = {(NOW + timedelta(days=1)).date().isoformat()}  # the second of two days


def test_stretches_are_sorted_by_time():
    several = [stretch_of(n, NOW + timedelta(hours=n)) for n in range(3)]
    table = partition(0, *reversed(several))
    assert [stretch.started_at for stretch in labelled_stretches(table)] == [
        one.metadata.started_at for one in several
    ]


def test_windows_inside_sets_are_labelled_exercise_and_the_rest_idle(two_days):
    seconds = sums_of(two_days).label_seconds()
    lost = 4  # half a window at either end of a recording has no window of its own
    assert seconds["exercise"] == pytest.approx(2 * SET_S, abs=1)
    idle_s = sum(s for s, exercise in PARTS if not exercise)
    assert seconds["idle"] == pytest.approx(2 * (idle_s - lost), abs=2)


def test_a_session_over_midnight_is_of_the_day_on_which_it_began():
    """Its halves are alike: a model judged on one must not have learned the other."""
    table = partition(0, *evening(0), *evening(1))
    stretches = labelled_stretches(table)
    assert [stretch.day for stretch in stretches] == ["2026-11-01"] * 2 + ["2026-11-02"] * 2
    days = examples_of(stretches, LAYOUT)
    assert of_sets_s(evaluated(days).own) == 4 * SET_S
    one_session = examples_of(stretches[:2], LAYOUT)
    assert sum(evaluated(one_session).own) == 0, "there is no other session to learn from"


def test_the_next_evening_judges_what_was_learned_from_a_session_over_midnight():
    [row] = sums_row((str(walker(0)), LAYOUT), partition(0, *evening(0)))
    period = EvaluationPeriod(datetime.fromisoformat(row["until"]))
    both = labelled_stretches(partition(0, *evening(0), *evening(1)))
    assert [period.covers_day(one.day, one.revision) for one in both] == [False, False, True, True]


def of_sets_s(seconds):
    """Seconds that lie in true sets: found and missed."""
    found, _wrong, missed = seconds
    return found + missed


def evaluated(days, **more):
    """The seconds of a single user, without borders unless some are given."""
    more = {"borders": lambda _: NO_BORDERS} | more
    return evaluate_user(days, sums_of(days), LAYOUT, single_user=True, **more)


def test_each_day_of_a_single_user_is_evaluated_by_a_model_of_the_other_days(two_days):
    found = evaluated(two_days)
    assert of_sets_s(found.own) == 2 * SET_S
    assert f1(found.own) > 0.95 > f1(found.rhythm)
    assert (found.own_later, found.incumbent) == ((0, 0, 0), (0, 0, 0))
    assert sum(evaluated(dict(list(two_days.items())[:1])).own) == 0


def test_incumbent_is_evaluated_only_on_days_after_its_training(two_days):
    model = fit_discriminant(sums_of(two_days), LAYOUT)
    found = evaluated(two_days, incumbent=(model, LATER))
    assert of_sets_s(found.own_later) == SET_S
    assert of_sets_s(found.incumbent) == SET_S


def test_evaluated_seconds_equal_those_of_the_segments_served_by_the_model(
    stretches, two_days, whole
):
    model = replace(whole, start=far_off(len(whole.start.mean)))
    total = np.zeros(3, dtype=int)
    for stretch in stretches:
        [signal] = wrist_signals(unpack_pieces(stretch.samples))
        found, truth = (
            [((a - signal.t0_ns) / 1e9, (b - signal.t0_ns) / 1e9) for a, b in spans]
            for spans in (
                [(segment.start_ns, segment.end_ns) for segment in model.segments([signal])],
                stretch.spans,
            )
        )
        total += compared(signal, found, truth)
    examples = [e for day in two_days.values() for e in day]
    assert seconds_by(model, examples) == tuple(total)
    assert f1(seconds_by(whole, examples)) > 0.98 > 0.9 > f1(tuple(total))


def test_wrong_borders_lower_f1_of_candidate_and_incumbent(two_days, whole):
    bad = far_off(len(whole.start.mean)), None
    good = evaluated(two_days, borders=lambda _: (whole.start, whole.end))
    assert f1(good.own) > 0.98
    assert f1(evaluated(two_days, borders=lambda _: bad).own) < 0.9
    held = replace(whole, start=bad[0], end=None), LATER
    assert f1(evaluated(two_days, incumbent=held).incumbent) < 0.9
    assert f1(evaluated(two_days, incumbent=(whole, LATER)).incumbent) > 0.98


def test_border_examples_are_taken_from_the_newest_days_up_to_count(stretches, two_days):
    total = sums_of(two_days)
    found = newest_border_examples(stretches, total, LAYOUT, count=100)
    assert list(found) == list(two_days)
    assert [(len(one.starts), len(one.ends)) for one in found.values()] == [(2, 2), (2, 2)]
    older, newer = found.values()
    [few] = newest_border_examples(stretches, total, LAYOUT, count=1).values()
    assert [len(few.starts), len(few.ends)] == [1, 1]
    assert few.starts[0][2] == newer.starts[1][2]
    broken = [replace(stretches[0], samples=b"never looked at"), stretches[1]]
    [read] = newest_border_examples(broken, total, LAYOUT, count=2).values()
    assert border_examples_to_bytes(read) == border_examples_to_bytes(newer)
    cut = newest_border_examples(stretches, total, LAYOUT, count=3)
    assert [len(one.ends) for one in cut.values()] == [1, 2]
    assert cut[min(cut)].ends[0][2] == older.ends[1][2]


def test_border_examples_round_trip_through_bytes(stretches, two_days):
    found = newest_border_examples(stretches, sums_of(two_days), LAYOUT, count=100)
    for context in found.values():
        back = border_examples_from_bytes(border_examples_to_bytes(context))
        for several, before in ((back.starts, context.starts), (back.ends, context.ends)):
            for one, other in zip(several, before, strict=True):
                np.testing.assert_array_equal(one[0], other[0])
                np.testing.assert_array_equal(one[1], other[1])
                assert one[2] == other[2]
    assert border_examples_from_bytes(
        border_examples_to_bytes(BorderExamples([], []))
    ) == BorderExamples([], [])
