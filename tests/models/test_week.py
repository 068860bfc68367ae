"""Weekly plans: limits, optimality and explanations."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.history import DAY_S, WEEK_S, DoneSet, SetLog
from models.population.simulate import START_S, simulate
from models.week.explain import reasons, summary
from models.week.features import (
    candidates_of,
    candidates_of_plans,
    limits_of,
    limits_of_plans,
    muscles_of,
)
from models.week.fit import plan_week, value_of
from models.week.model import AvailableExercise, Objective, WeekLimits, WeekPlan
from schemas.errors import BadInput, NotEnoughLabels
from tests.models.week_checks import greedy_week, violations

SQUAT = AvailableExercise("squat", ("quads", "core"), 5.0, 1.0)
PRESS = AvailableExercise("press", ("quads",), 4.0, 0.5)
ROW = AvailableExercise("row", ("back",), 5.0, 0.8)


def days(**exercises):
    """day0="a b" → the seven days."""
    return tuple(tuple(exercises.get(f"day{n}", "").split()) for n in range(7))


def test_plan_of_a_simulated_history_is_allowed_and_not_worse_than_greedy():
    end = START_S + 10 * WEEK_S
    person = next(p for p in simulate(9, 10, 3) if p.truth.sessions_per_week > 2.5)
    log = SetLog.of(person.sets())
    candidates, limits = candidates_of(log, most=12), limits_of(log, end)
    plan = plan_week(candidates, limits)
    assert violations(plan.days, candidates, limits) == ()
    assert any(plan.days)
    assert plan.value == pytest.approx(value_of(plan.days, candidates, limits))
    assert plan.value >= value_of(greedy_week(candidates, limits), candidates, limits)
    assert 0 <= plan.gap <= 0.06 * abs(plan.value)


def test_recovery_days_are_kept_between_days_and_after_the_last_session():
    limits = WeekLimits((60.0,) * 7, {"quads": 99.0}, {"quads": 1}, most_times=7, most_days=7)
    plan = plan_week([SQUAT], limits, gap=0)
    assert sum(bool(day) for day in plan.days) == 3  # as many as days 1 to 6 can hold
    assert violations(plan.days, [SQUAT], limits) == ()
    three = WeekLimits((60.0,) * 7, {"quads": 99.0}, recovery_days=3, most_times=7, most_days=7)
    planned = plan_week([SQUAT], three, gap=0).days
    assert planned == days(day0="squat", day3="squat", day6="squat")


def test_missing_sets_are_reported_if_time_is_short():
    """Fifteen minutes: three sets of squats; seven are missing, core has 1.5 of 1."""
    limits = WeekLimits((15.0, *[0.0] * 6), {"quads": 10.0, "core": 1.0})
    plan = plan_week([SQUAT, PRESS], limits, gap=0)
    assert plan.days == days(day0="squat")
    assert plan.missing == {"quads": 7.0}
    assert plan.value == pytest.approx(0.5 * 1.0 - 0.002 * 15 - 7)


def test_wanted_muscle_has_priority_over_a_liked_exercise():
    dull = AvailableExercise("dull", ("calves",), 5.0, 0.0)
    plan = plan_week([SQUAT, dull], WeekLimits((15.0, *[0.0] * 6), {"calves": 3.0}), gap=0)
    assert plan.days == days(day0="dull")


def test_week_without_time_or_exercises_is_empty():
    assert plan_week([], WeekLimits((60.0,) * 7, {"back": 3.0})).missing == {"back": 3.0}
    assert plan_week([SQUAT], WeekLimits((0.0,) * 7, {})).days == days()


limits_drawn = st.builds(
    WeekLimits,
    minutes=st.tuples(*[st.sampled_from([0.0, 14.0, 30.0])] * 3).map(lambda t: (*t, *[0.0] * 4)),
    wanted_sets=st.dictionaries(
        st.sampled_from(["quads", "back", "core"]), st.floats(0, 9), max_size=3
    ),
    rested_days=st.dictionaries(st.sampled_from(["quads", "back"]), st.integers(1, 2)),
    recovery_days=st.integers(1, 3),
    most_days=st.integers(1, 3),
    most_blocks_a_day=st.integers(1, 2),
    most_times=st.integers(1, 2),
)


@settings(deadline=None, max_examples=40)
@given(limits_drawn)
def test_plan_has_the_maximum_value_of_all_allowed_weeks(limits):
    candidates = [SQUAT, PRESS, ROW]
    plan = plan_week(candidates, limits, gap=0)
    assert violations(plan.days, candidates, limits) == ()
    day_choices = [
        tuple(c.exercise for c, taken in zip(candidates, bits, strict=True) if taken)
        for bits in product([0, 1], repeat=3)
    ]
    best = max(
        value_of(week, candidates, limits)
        for week in product(*[day_choices] * 3)
        if not violations(week, candidates, limits)
    )
    assert plan.value == pytest.approx(best, abs=1e-6)


def test_every_kind_of_violation_is_named():
    limits = WeekLimits(
        (20.0,) * 7, {}, {"back": 1}, most_days=1, most_blocks_a_day=1, most_times=1
    )
    broken = violations(days(day0="row squat", day1="squat"), [SQUAT, ROW], limits)
    sentences = " ".join(broken)
    for words in ("30.0 of 20.0", "holds 2 exercises", "too many", "squat comes up too often",
                  "back is not recovered on day 0", "quads is not recovered on day 1"):  # fmt: skip
        assert words in sentences
    twice = violations(days(day0="row row"), [ROW], WeekLimits((99.0,) * 7, {}))
    assert twice == ("day 0 holds an exercise twice",)


def test_limits_and_candidates_of_a_known_history():
    """Mondays, three squats in 40 minutes; the last one two days before the plan's Wednesday."""
    rows = [
        DoneSet(str(week), week * WEEK_S + 3600 * 18 + minutes * 60, "squat", 10, 80.0, None)
        for week in range(4)
        for minutes in (0, 20, 40)
    ]
    wednesday = 3 * WEEK_S + 2 * DAY_S
    limits = limits_of(SetLog.of(rows), wednesday)
    assert [round(minutes, 3) for minutes in limits.minutes] == [0, 0, 0, 0, 0, 49.5, 0]
    weeks = (wednesday - 3600 * 18) / WEEK_S
    assert limits.wanted_sets["quads"] == pytest.approx(12 / weeks)
    assert limits.wanted_sets["core"] == pytest.approx(6 / weeks)
    assert limits.rested_days == {"quads": 2}
    (squat,) = candidates_of(SetLog.of(rows))
    assert squat == AvailableExercise("squat", muscles_of("squat"), (25 + 180) / 60, 1.0)


def done_at(*starts_s, name="squat"):
    """A session of one set at each time."""
    return [DoneSet(f"{at_s}", at_s, name, 10, 80.0, None) for at_s in starts_s]


def test_days_are_those_of_the_clock_that_the_log_is_on():
    """Half an hour before and at a midnight."""
    begin_s = 10 * WEEK_S
    before, at = (
        limits_of(SetLog.of(done_at(begin_s - WEEK_S + late_s)), begin_s) for late_s in (-1800, 0)
    )
    assert [day for day in range(7) if before.minutes[day]] == [6]
    assert [day for day in range(7) if at.minutes[day]] == [0]
    assert (before.rested_days["quads"], at.rested_days["quads"]) == (8, 7)


def test_weekday_has_time_if_a_quarter_of_the_weeks_trained_on_it():
    """Eight weeks: day 0 in all of them, day 1 in two, day 2 in one."""
    begin_s = 20 * WEEK_S
    rows = done_at(*(begin_s - n * WEEK_S for n in range(1, 9)))
    rows += done_at(*(begin_s - n * WEEK_S + DAY_S for n in (3, 5)))
    rows += done_at(begin_s - 4 * WEEK_S + 2 * DAY_S)
    limits = limits_of(SetLog.of(rows), begin_s)
    assert limits.minutes == pytest.approx((5.5, 5.5, 0, 0, 0, 0, 0))  # warm-up, and a tenth
    assert limits.most_days == 2
    assert limits.wanted_sets["quads"] == pytest.approx(11 / 8)


def test_limits_ignore_sets_before_the_last_weeks_and_from_the_first_day_on():
    begin_s = 20 * WEEK_S
    inside = done_at(begin_s - 8 * WEEK_S, begin_s - 1)
    outside = done_at(begin_s - 8 * WEEK_S - 1, begin_s, name="bench press")
    limits = limits_of(SetLog.of([*inside, *outside]), begin_s)
    assert limits == limits_of(SetLog.of(inside), begin_s)
    assert limits.rested_days == {"quads": 1}


def test_limits_of_an_empty_history_leave_no_time():
    limits = limits_of(SetLog.of([]), 20 * WEEK_S)
    assert (limits.minutes, limits.wanted_sets, limits.most_days) == ((0.0,) * 7, {}, 1)


def test_candidates_are_the_most_frequent_exercises_then_by_name():
    rows = [
        *done_at(1.0, 2.0, 3.0, 4.0, name="squat"),
        *done_at(5.0, name="deadlift"),
        *done_at(6.0, name="bench press"),
        DoneSet("own", 7.0, "my own", None, None, None),
        DoneSet("own", 8.0, "my own", None, None, None),
    ]
    candidates = candidates_of(SetLog.of(rows), most=3)
    assert [(candidate.exercise, candidate.liking) for candidate in candidates] == [
        ("squat", 1.0), ("my own", 0.5), ("bench press", 0.25)
    ]  # fmt: skip
    usual_s = 10 * 2.5 + 90  # repetitions were not recorded, and its rest is not known
    assert (candidates[1].muscles, candidates[1].set_minutes) == (("my own",), usual_s / 60)


def test_minutes_of_a_session_include_its_last_set():
    """A plank of ten minutes at the end: 30 and 10 minutes, warm-up, and a tenth on top."""
    rows = [
        DoneSet("a", 3600.0 + 60 * at, name, 10, None, None, duration_s=60.0 * minutes)
        for at, name, minutes in ((0, "squat", 1), (30, "plank", 10))
    ]
    limits = limits_of(SetLog.of(rows), DAY_S)
    assert limits.minutes[6] == pytest.approx(1.1 * (30 + 10 + 5))


def test_objective_is_configurable_and_invalid_limits_are_refused():
    limits = WeekLimits((60.0,) * 7, {})
    assert plan_week([SQUAT], limits, Objective(liking=0.0)).days == days()
    with pytest.raises(BadInput, match="2 days"):
        plan_week([SQUAT], WeekLimits((1.0, 2.0), {}))
    with pytest.raises(BadInput, match="twice"):
        plan_week([SQUAT, SQUAT], limits)
    with pytest.raises(NotEnoughLabels):
        candidates_of(SetLog.of([]))
    assert muscles_of("something new") == ("something new",)


def test_reasons_name_rest_and_wanted_sets_of_each_exercise():
    limits = WeekLimits((60.0,) * 7, {"quads": 99.0}, {"quads": 1}, most_times=7, most_days=7)
    plan = plan_week([SQUAT], limits, gap=0)
    told = [why for day in reasons(plan, [SQUAT], limits) for why in day]
    wants = "; you want 99 sets of it a week"
    assert told[0] == f"quads was last trained 2 days before{wants}"
    assert len(told) == 3
    assert summary(plan, [SQUAT], limits).startswith(
        "3 training days; a muscle rests 1 day in between; "
    )
    assert "no room for 90 more sets of quads" in summary(plan, [SQUAT], limits)


def test_reason_without_an_earlier_day_or_a_wanted_set_is_rest_alone():
    limits = WeekLimits((60.0,) * 7, {"quads": 2.0, "back": 0.9}, {"quads": 1}, recovery_days=1)
    plan = WeekPlan(days(day0="squat row", day2="row"), {"quads": 1.0, "back": 0.9}, 0.0, 0.0)
    first, _, third, *_ = reasons(plan, [SQUAT, ROW], limits)
    wants = "; you want 2 sets of it a week"
    assert first == (f"quads was last trained 1 day before{wants}", "back has rested")
    assert third == ("back was last trained 2 days before",)
    told = "2 training days; a muscle rests 0 days in between; no room for 1 more set of quads."
    assert summary(plan, [SQUAT, ROW], limits) == told


def test_summary_of_an_empty_week_explains_why():
    """For example too few minutes for three sets, as after a first session with one set."""

    def summary_of(limits: WeekLimits) -> str:
        return summary(plan_week([SQUAT, PRESS], limits), [SQUAT, PRESS], limits)

    none = (0.0,) * 6
    short = "3 sets of press take 12.0 minutes, and no day has more than 5.5."
    assert summary_of(WeekLimits((5.5, *none), {"quads": 1.0})) == f"Nothing fits: {short}"
    tired = summary_of(WeekLimits((30.0, *none), {"quads": 1.0}, {"quads": 1}))
    assert tired == "Nothing fits: what there is time for is not rested on those days."
    assert summary_of(WeekLimits((0.0, *none), {})).startswith("There is no time for training")


def test_week_from_plans_alone_holds_each_plan():
    plans = [["bench press"] * 3, ["barbell row"] * 3]
    candidates, limits = candidates_of_plans(plans), limits_of_plans(plans)
    assert limits.wanted_sets["chest"] == limits.wanted_sets["back"] == 3.0
    assert limits.most_days == 2
    longest = max(3 * candidate.set_minutes for candidate in candidates)
    assert limits.minutes == pytest.approx((longest + 5,) * 7)  # and the warm-up
    week = plan_week(candidates, limits, gap=0)
    assert violations(week.days, candidates, limits) == ()
    assert sorted(name for day in week.days for name in day) == ["barbell row", "bench press"]
    with pytest.raises(NotEnoughLabels):
        candidates_of_plans([[]])
