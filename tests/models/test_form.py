"""Form: templates and scores of synthetic sets that are usual, tired or different."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.form.codec import from_bytes, to_bytes
from models.form.evaluate import FormSet, form_figures
from models.form.judge import Form, form, form_of, likeness_of
from models.form.model import CountedSet, FormModel, fit_form
from models.form.quantities import QUANTITIES, end_over_start, quantities
from models.form.template import FormTemplate, fit_template, symmetry
from schemas.errors import BadModelBytes, NotEnoughLabels
from tests.models.form_repetitions import counted, repetition, usual


@pytest.fixture
def template() -> FormTemplate:
    return fit_template("curl", [usual(k) for k in range(5)])


def test_template_has_the_typical_quantities_of_the_sets(template: FormTemplate) -> None:
    np.testing.assert_allclose(template.typical, [2.0, 1.2, 3.0, 0.5], atol=0.05)
    assert template.sets == 5
    assert (template.spread > 0).all()


def test_a_usual_set_scores_high(template: FormTemplate) -> None:
    judged = form(usual(77), template)
    assert judged.score is not None
    assert judged.score > 0.95
    assert judged.says == "As usual for you."


def test_different_range_and_duration_lower_the_score_and_are_named(template: FormTemplate) -> None:
    short = form(usual(77, range_rad=0.5), template)
    slow = form(usual(77, duration_s=4.0), template)
    assert short.parts["likeness_range_rad"] == 0.0
    assert short.parts["likeness_duration_s"] == 1.0
    assert short.says == "Smaller than usual for you."
    assert slow.says == "Slower than usual for you."
    plain = form(usual(77), template)
    assert plain.score is not None
    assert short.score is not None
    assert short.score < plain.score


def test_fatigue_is_the_loss_of_peak_speed() -> None:
    """Ten repetitions from 3 to 1.5: the first three average 2.83, the last three 1.67."""
    tired = form(usual(1, end_share=0.5))
    speeds = 3.0 * np.linspace(1, 0.5, 10)
    assert tired.parts["speed_kept"] == pytest.approx(speeds[-2] / speeds[1], abs=0.05)
    assert tired.says.startswith("The set lost")
    assert "peak speed" in tired.says
    assert "range" not in tired.says


def test_speed_kept_is_capped_at_one() -> None:
    faster = form(usual(1, end_share=1.5))
    assert faster.parts["speed_kept"] == 1.0
    assert faster.says == "Even to the end."


def test_too_few_repetitions_give_no_score(template: FormTemplate) -> None:
    too_few = Form(None, {}, "Too few repetitions to say anything about form.")
    assert form(()) == form(usual(count=2), template) == too_few
    assert form(usual(count=3), template).score is not None
    four = form(usual(count=4))
    assert (four.score, four.parts) == (None, {})


def test_five_repetitions_without_template_give_no_score() -> None:
    tiring = tuple(
        repetition(3.0 * k, range_rad=1.6 - 0.3 * k, peak_speed=3.0 - 0.55 * k) for k in range(5)
    )
    judged = form(tiring)
    assert judged == Form(None, {}, "Too few repetitions to say how it went on.")


def test_four_repetitions_are_compared_with_the_template(template: FormTemplate) -> None:
    four = form(usual(3, count=4), template)
    assert four.score == pytest.approx(four.parts["likeness"])
    assert "speed_kept" not in four.parts


@given(
    count=st.integers(3, 20),
    scale=st.floats(0.05, 20),
    end_share=st.floats(0.0, 2.0),
    with_template=st.booleans(),
)
def test_scores_and_parts_are_between_zero_and_one(
    count: int, scale: float, end_share: float, with_template: bool
) -> None:
    known = fit_template("curl", [usual(k) for k in range(3)]) if with_template else None
    judged = form(usual(2, count, speed=3 * scale, end_share=end_share), known)
    assert judged.score is None or 0.0 <= judged.score <= 1.0
    assert judged.says.endswith(".")
    assert all(0.0 <= v <= 1.0 or n.endswith("_kept") for n, v in judged.parts.items())


def test_likeness_falls_with_distance() -> None:
    values = [likeness_of(s) for s in np.linspace(0, 6, 25)]
    assert values == sorted(values, reverse=True)
    assert likeness_of(3.3) == likeness_of(-3.3)


def test_drift_needs_six_repetitions_and_movement() -> None:
    assert end_over_start(np.ones(5)) is None
    assert end_over_start(np.zeros(8)) is None
    assert end_over_start(np.ones(6)) == 1.0


def test_template_is_robust_to_one_outlier(template: FormTemplate) -> None:
    odd = fit_template("curl", [*(usual(k) for k in range(5)), usual(9, range_rad=3.0)])
    np.testing.assert_allclose(odd.typical, template.typical, atol=0.1)


def test_template_needs_three_sets_with_repetitions() -> None:
    with pytest.raises(NotEnoughLabels, match="curl"):
        fit_template("curl", [usual(0), usual(1), ()])


def test_symmetry_is_left_over_right() -> None:
    left = fit_template("curl", [usual(k, range_rad=1.0) for k in range(3)])
    right = fit_template("curl", [usual(k, range_rad=2.0) for k in range(3)])
    ratios = symmetry(left, right)
    assert ratios["range_rad"] == pytest.approx(0.5, abs=0.05)
    assert ratios["duration_s"] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("left_s", "right_s", "ratio"),
    [(0.0, 0.0, None), (0.0, 0.6, None), (0.6, 0.2, None), (0.3, 0.6, 0.5), (0.6, 0.3, 2.0)],
)
def test_quantity_below_the_resolution_of_either_side_has_no_symmetry(
    left_s: float, right_s: float, ratio: float | None
) -> None:
    """Pauses are measured to 0.3 s."""
    left, right = (
        fit_template("hold", [[repetition(k, pause_s=pause_s) for k in range(4)]] * 3)
        for pause_s in (left_s, right_s)
    )
    assert symmetry(left, right).get("pause_s") == ratio


def test_spread_of_a_template_is_the_median_deviation_as_a_standard_deviation() -> None:
    """The median deviation is 0.5; that of a normal distribution is 0.6745 of its standard one."""
    sets = [[repetition(k, range_rad=value) for k, value in enumerate((0.7, 1.2, 1.7))]] * 3
    spread = fit_template("curl", sets).spread
    assert spread == pytest.approx([0.3, 0.5 / 0.6745, 0.3, 0.3], rel=1e-4)  # else the least


def test_form_model_keeps_sides_apart_and_round_trips_through_bytes() -> None:
    sets = [*counted(3, "left"), *counted(4, "right", duration_s=3.0), *counted(1, None, "row")]
    model = fit_form(sets)
    assert sorted(model.templates) == [("curl", "left"), ("curl", "right")]
    left, right = model.template("curl", "left"), model.template("curl", "right")
    assert left is not None
    assert right is not None
    assert right.typical[0] == pytest.approx(3.0, abs=0.1)
    assert model.template("row", None) is None
    assert [set_.exercise_side for set_ in model.sets].count(("row", "unknown")) == 1
    again = from_bytes(to_bytes(model))
    assert to_bytes(again) == to_bytes(model)
    assert form(usual(5), again.template("curl", "left")) == form(usual(5), left)
    for measured, other in zip(model.sets, again.sets, strict=True):
        assert (measured.set_id, measured.exercise_side, measured.started_ms) == (
            other.set_id,
            other.exercise_side,
            other.started_ms,
        )
        template = model.templates.get(measured.exercise_side)
        assert form_of(other.quantities, other.repetitions, template) == form_of(
            measured.quantities, measured.repetitions, template
        )


def test_empty_sets_and_junk_bytes_are_refused(template: FormTemplate) -> None:
    with pytest.raises(NotEnoughLabels):
        fit_form([CountedSet("a", "curl", "left", 0, ())])
    blob = to_bytes(fit_form(counted(3)))
    for junk in (b"", b"junk", blob[:-7], b"PK" + blob[5:]):
        with pytest.raises(BadModelBytes):
            from_bytes(junk)
    flat = FormTemplate("curl", 3, template.typical, np.zeros(4))
    with pytest.raises(BadModelBytes, match="without spread"):
        from_bytes(to_bytes(FormModel({("curl", "left"): flat})))


def test_quantities_without_repetitions_are_none() -> None:
    assert quantities(()) is None


def test_form_figures_are_side_correlations_and_the_share_of_tired_sets() -> None:
    """Duration depends on the person, range is random on either side."""
    rng = np.random.default_rng(0)
    sets = [
        FormSet(
            str(person),
            "curl",
            side,
            usual(
                person,
                duration_s=1.5 + 0.2 * person,
                range_rad=float(rng.uniform(0.5, 2.0)),
                end_share=0.5 if person < 5 else 1.5,
            ),
        )
        for person in range(20)
        for side in ("left", "right")
    ]
    figures = form_figures(sets)
    assert figures[f"form_r_{QUANTITIES[0]}"] > 0.95
    assert abs(figures["form_r_range_rad"]) < 0.6
    assert figures["form_slower_at_end"] == pytest.approx(5 / 20)
