"""Deviations: the alignment of planned and performed sets."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.deviations import align as alignment
from models.deviations.align import align
from models.deviations.model import DEFAULT_TOLERANCES, Target, Tolerances
from tests.models.deviation_pairs import agreement, pair_by_position, rows_of, score

targets = st.builds(
    Target,
    exercise=st.sampled_from(["squat", "lunge", "plank"]),
    reps=st.none() | st.integers(0, 20),
    weight_kg=st.none() | st.floats(0, 200),
    intensity=st.none() | st.floats(0, 1),
)
sessions = st.lists(targets, max_size=8)


def kinds(planned, done, tolerances=DEFAULT_TOLERANCES):
    return [set(row.kinds) for row in align(planned, done, tolerances)]


def counting(function: Callable, calls: Counter[str], name: str) -> Callable:
    def counted(*arguments):
        calls[name] += 1
        return function(*arguments)

    return counted


def test_session_with_one_deviation_of_each_kind():
    plan = [
        Target("squat", 5, 100.0, 0.8),
        Target("squat", 5, 110.0, 0.9),
        Target("lunge", 10, 20.0),
        Target("plank", None, None, 0.5),
        Target("crunch", 20),
    ]
    done = [
        Target("squat", 5, 100.0, 0.8),
        Target("plank", None, None, 0.7),  # before the lunge, and harder
        Target("squat", 3, 110.0, 0.9),
        Target("lunge", 10, 24.0),
        Target("burpee", 12),
    ]
    rows = align(plan, done)
    assert [(row.planned, row.done) for row in rows] == [
        (0, 0), (1, 2), (2, 3), (3, 1), (4, None), (None, 4)
    ]  # fmt: skip
    assert [set(row.kinds) for row in rows] == [
        {"as_planned"}, {"reps"}, {"weight"}, {"intensity", "order"}, {"missed"}, {"extra"}
    ]  # fmt: skip


def test_a_skipped_first_set_is_the_missed_one():
    pyramid = [Target("squat", 10, 60.0), Target("squat", 8, 70.0), Target("squat", 6, 80.0)]
    assert kinds(pyramid, pyramid[1:]) == [{"missed"}, {"as_planned"}, {"as_planned"}]


def test_swapped_sets_are_one_order_deviation():
    plan = [Target("squat"), Target("lunge")]
    assert sum("order" in kind for kind in kinds(plan, plan[::-1])) == 1


def test_equal_sets_are_paired_in_order_with_the_last_as_extra():
    plan = [Target("squat", 5, 100.0)] * 3
    rows = align(plan, [*plan, plan[0]])
    assert [(row.planned, row.done) for row in rows] == [(0, 0), (1, 1), (2, 2), (None, 3)]


def test_sets_with_the_closer_numbers_are_paired_before_those_in_order():
    """Half a kilogram is within the tolerance: either pairing keeps every value."""
    plan = [Target("squat", 5, 100.0), Target("squat", 5, 100.5)]
    rows = align(plan, plan[::-1])
    assert [(row.planned, row.done) for row in rows] == [(0, 1), (1, 0)]


def test_distance_of_two_sets_is_relative_to_their_numbers():
    """One value of either is not kept: 10 kg of 100 are nearer than 4 repetitions of 10."""
    lighter, longer = Target("squat", 10, 90.0), Target("squat", 14, 100.0)
    for done in ([lighter, longer], [longer, lighter]):
        row, extra = align([Target("squat", 10, 100.0)], done)
        assert (done[row.done], done[extra.done]) == (lighter, longer)


def test_set_that_keeps_more_values_is_paired_before_a_closer_one():
    """The repetitions are kept, however far the weight is off."""
    planned, near, kept = (
        Target("squat", *pair) for pair in ((10, 100.0), (11, 105.0), (10, 140.0))
    )
    for done in ([near, kept], [kept, near]):
        row, extra = align([planned], done)
        assert (done[row.done], done[extra.done]) == (kept, near)


def test_different_exercise_is_one_missed_and_one_extra():
    assert kinds([Target("squat")], [Target("lunge")]) == [{"missed"}, {"extra"}]


def test_tolerances_are_inclusive_and_settable():
    plan, done = [Target("squat", 5, 62.5, 0.5)], [Target("squat", 6, 63.125, 0.55)]
    assert kinds(plan, done) == [{"reps"}]
    assert kinds(plan, done, Tolerances(reps=1)) == [{"as_planned"}]
    strict = Tolerances(reps=1, weight_kg=0.6, intensity=0.04)
    assert kinds(plan, done, strict) == [{"weight", "intensity"}]


def test_unplanned_and_unrecorded_values_are_not_deviations():
    assert kinds([Target("squat")], [Target("squat", 5, 80.0, 0.7)]) == [{"as_planned"}]
    assert kinds([Target("squat", 5, 80.0, 0.7)], [Target("squat")]) == [{"as_planned"}]


@settings(deadline=None)
@given(sessions, sessions)
def test_every_set_appears_in_exactly_one_row(planned, done):
    rows = align(planned, done)
    assert sorted(r.planned for r in rows if r.planned is not None) == list(range(len(planned)))
    assert sorted(r.done for r in rows if r.done is not None) == list(range(len(done)))
    assert [row.position for row in rows] == list(range(len(rows)))


@settings(deadline=None)
@given(sessions)
def test_session_equal_to_its_plan_has_no_deviations(plan):
    rows = align(plan, plan)
    assert all(row.kinds == {"as_planned"} and row.planned == row.done for row in rows)


@settings(deadline=None)
@given(sessions, sessions)
def test_each_exercise_has_the_maximum_number_of_pairs(planned, done):
    paired = [row for row in align(planned, done) if None not in (row.planned, row.done)]
    for exercise in ("squat", "lunge", "plank"):
        p = sum(target.exercise == exercise for target in planned)
        d = sum(target.exercise == exercise for target in done)
        assert sum(planned[row.planned].exercise == exercise for row in paired) == min(p, d)
    assert all(planned[row.planned].exercise == done[row.done].exercise for row in paired)


@settings(deadline=None)
@given(sessions, sessions)
def test_kinds_are_consistent_with_the_row(planned, done):
    for row in align(planned, done):
        assert (row.kinds == {"missed"}) == (row.done is None)
        assert (row.kinds == {"extra"}) == (row.planned is None)
        assert row.kinds
        assert "as_planned" not in row.kinds or len(row.kinds) == 1


@settings(deadline=None)
@given(sessions, sessions)
def test_sets_without_order_deviation_are_in_the_planned_order(planned, done):
    rows = [row for row in align(planned, done) if None not in (row.planned, row.done)]
    kept = [row.done for row in rows if "order" not in row.kinds]
    assert kept == sorted(kept)


@settings(deadline=None)
@given(st.permutations(list(range(6))))
def test_order_deviations_are_the_minimum_number_of_moved_sets(permutation):
    plan = [Target(str(n)) for n in range(6)]
    moved = sum("order" in kind for kind in kinds(plan, [plan[n] for n in permutation]))
    subsets = [[n for k, n in enumerate(permutation) if bits >> k & 1] for bits in range(64)]
    longest = max(len(subset) for subset in subsets if subset == sorted(subset))
    assert moved == 6 - longest


def test_alignment_beats_pairing_by_position_after_a_skipped_set():
    plan = [Target("squat"), Target("lunge"), Target("plank")]
    true = [(0, None), (1, 0), (2, 1)]
    aligned, baseline = score([(plan, plan[1:], true)])
    assert (aligned.precision, aligned.recall) == (1.0, 1.0)
    assert (baseline.both, baseline.found) == (1, 5)  # only that the first set was skipped
    assert pair_by_position(plan, plan) == [(0, 0), (1, 1), (2, 2)]
    assert agreement(rows_of(align(plan, plan)), [(0, 0)]).recall == 1.0


def test_alignment_of_hundreds_of_sets_compares_arrays(monkeypatch: pytest.MonkeyPatch):
    """The service aligns in its event loop; with one comparison per pair this took 2 s.

    Calls are counted, not seconds, which a busy machine makes longer.
    """
    planned = [Target("row", 5 + n % 7, 60.0 + n % 5, 0.5) for n in range(500)]
    done = [Target("row", 5 + n % 9, 60.0 + n % 6, 0.6) for n in range(1500)]
    calls = Counter[str]()
    for name in ("_is_outside", "_number"):
        monkeypatch.setattr(alignment, name, counting(getattr(alignment, name), calls, name))
    assert len(align(planned, done)) == 1500
    assert 0 < calls["_is_outside"] < 5_000  # 750,000 pairs have three values each
    assert 0 < calls["_number"] < 20_000
