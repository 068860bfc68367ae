"""What form says in sentences: trends of an exercise, and how both arms compare."""

import numpy as np
import pytest

from models.form.model import CountedSet, fit_form
from models.form.summary import exercise_forms, symmetries_of, uneven
from tests.models.form_repetitions import counted, repetition, usual


def test_exercise_forms_report_trend_and_latest_sets_per_exercise() -> None:
    """Ten usual sets, then three with half the range; every set loses half of its speed."""
    even = counted(10, end_share=0.5)
    short = [
        CountedSet(f"short-{k}", "curl", "left", (20 + k) * 86_400_000, usual(k, range_rad=0.6))
        for k in range(3)
    ]
    (curl,) = exercise_forms(fit_form([*even, *short]))
    assert (curl.exercise_side, curl.sets, len(curl.latest)) == (("curl", "left"), 13, 5)
    assert [judged.measured.set_id for judged in curl.latest[:3]] == [
        "short-2",
        "short-1",
        "short-0",
    ]
    assert curl.trend["range_rad"] == pytest.approx(0.5, abs=0.03)
    assert curl.trend["duration_s"] == pytest.approx(1.0, abs=0.05)
    speeds = np.linspace(1, 0.5, 10)
    assert curl.speed_kept == pytest.approx(speeds[-2] / speeds[1], abs=0.05)
    assert curl.says.startswith("Your newest sets are smaller")
    assert "loses 4" in curl.says
    assert curl.latest[0].form.says.startswith("Smaller than usual")
    assert curl.latest[-1].form.score is not None


@pytest.mark.parametrize(
    ("before_s", "newest_s", "trend", "says"),
    [
        (2.0, 2.3, 1.15, "Your newest sets are like those before."),
        (2.0, 2.4, 1.2, "Your newest sets are slower than those before."),
        (2.4, 2.0, 2.0 / 2.4, "Your newest sets are faster than those before."),
    ],
)
def test_trend_is_told_beyond_the_usual_difference_of_repetitions(
    before_s: float, newest_s: float, trend: float, says: str
) -> None:
    """Repetitions that are all alike have the least spread: 0.3 s."""
    sets = [
        CountedSet(str(n), "curl", "left", n, (repetition(0.0, duration_s, pause_s=0.0),) * 5)
        for n, duration_s in enumerate([before_s] * 4 + [newest_s] * 3)
    ]
    (curl,) = exercise_forms(fit_form(sets))
    steady = {"range_rad": 1.0, "peak_speed": 1.0}  # and no share of no pause
    assert curl.trend == pytest.approx({"duration_s": trend, **steady})
    assert (curl.says, curl.speed_kept) == (says, None)  # too short to get tired in
    assert [judged.measured.set_id for judged in curl.latest] == ["6", "5", "4", "3", "2"]
    (five,) = exercise_forms(fit_form(sets[:5]))
    assert (five.trend, five.sets) == ({}, 5)


def test_exercise_forms_report_missing_sets_before_there_is_a_template() -> None:
    (curl,) = exercise_forms(fit_form(counted(2)))
    assert (curl.template, curl.trend) == (None, {})
    assert curl.says == "1 more confirmed set makes your usual way."
    (once,) = exercise_forms(fit_form(counted(1)))
    assert once.says == "2 more confirmed sets make your usual way."
    assert curl.latest[0].form.parts["speed_kept"] == pytest.approx(1.0, abs=0.1)


def test_symmetry_is_reported_only_if_both_sides_were_recorded() -> None:
    model = fit_form([*counted(3, "left", range_rad=0.6), *counted(3, "right", range_rad=1.2)])
    (curl,) = symmetries_of(model)
    assert curl.ratios["range_rad"] == pytest.approx(0.5, abs=0.03)
    assert curl.says == "Your right arm moves further."
    assert symmetries_of(fit_form(counted(3))) == ()


def test_arms_are_told_apart_by_more_than_their_usual_difference() -> None:
    alike = {"duration_s": 1.14, "range_rad": 0.86}
    assert uneven(alike) == "Both arms do alike."
    apart = {"duration_s": 1.2, "range_rad": 0.8, "peak_speed": 0.8, "pause_s": 1.0}
    left, right = "Your left arm takes longer", "your right arm moves further and is faster"
    assert uneven(apart) == f"{left}; {right}."
