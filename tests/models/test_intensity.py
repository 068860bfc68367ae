"""Intensity: features, ridge regression and grid search per user."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from models.history import DAY_S, WEEK_S, DoneSet, SetLog
from models.intensity.evaluate import errors_after
from models.intensity.features import FEATURES, fit_scale, intensity_rows
from models.intensity.fit import IntensitySettings, fit_grid, fit_intensity, training_rows
from models.intensity.model import NORMAL_80, IntensityModel
from models.intensity.ridge import fit_linear, moments, rmse
from models.population.simulate import START_S, simulate

SETTINGS = IntensitySettings()


@pytest.fixture(scope="module")
def logs():
    return [SetLog.of(person.sets()) for person in simulate(16, 14, 6)]


def test_regressors_beat_the_last_value_baseline_on_simulated_people(logs):
    cutoff_s = START_S + 11 * WEEK_S
    models = fit_intensity([log.sessions_before(cutoff_s) for log in logs], SETTINGS)
    errors = [
        [np.abs(of) for of in errors_after(model, log, cutoff_s)]
        for model, log in zip(models, logs, strict=True)
        if isinstance(model, IntensityModel)
    ]
    errors = [(ours, last) for ours, last in errors if len(ours)]
    assert len(errors) > 10
    ours, last = (np.concatenate(of_all).mean() for of_all in zip(*errors, strict=True))
    assert ours < 0.75 * last
    assert np.mean([ours.mean() < last.mean() for ours, last in errors]) > 0.9


def row(session, day, exercise, reps, weight, intensity):
    return DoneSet(session, day * DAY_S, exercise, reps, weight, intensity)


LOG = SetLog.of(
    [
        row("a", 0, "squat", 5, 100.0, 0.6),
        row("a", 0.01, "squat", 5, 110.0, None),
        row("a", 0.02, "curl", 10, 20.0, 0.8),
        row("b", 3.01, "squat", 8, 100.0, 0.7),
    ]
)


def test_features_of_a_known_history():
    x = dict(zip(FEATURES, intensity_rows(LOG, fit_scale(LOG)).x[3], strict=True))
    middle, spread = np.mean([100, 110, 100]), np.std([100, 110, 100])
    assert x["weight_z"] == pytest.approx((100 - middle) / spread)
    assert x["reps_z"] == pytest.approx((8 - 6) / np.std([5, 5, 8]))
    assert x["last_intensity"] == x["mean_intensity"] == 0.6
    assert x["session_intensity"] == pytest.approx(np.mean([0.6, 0.8, 0.7]))  # not given: the usual
    assert x["weight_step"] == pytest.approx(np.log(100 / 110))
    assert x["reps_step"] == 3
    assert (x["place"], x["repeat"]) == (0, 0)
    assert x["rest_days"] == pytest.approx(np.log(1 + 3))
    second = dict(zip(FEATURES, intensity_rows(LOG, fit_scale(LOG)).x[1], strict=True))
    assert (second["place"], second["repeat"], second["session_intensity"]) == (1, 1, 0.6)


def test_features_of_a_row_use_only_earlier_intensities(logs):
    log = logs[0]
    scale = fit_scale(log)
    x = intensity_rows(log, scale).x
    middle = len(log) // 2
    changed = replace(log, intensity=log.intensity.copy())
    changed.intensity[middle:] = 0.123
    assert np.array_equal(intensity_rows(changed, scale).x[: middle + 1], x[: middle + 1])
    assert np.array_equal(intensity_rows(log.where(np.arange(len(log)) < middle), scale).x,
                          x[:middle])  # fmt: skip
    assert np.isfinite(x).all()


def test_prediction_before_a_set_equals_that_of_its_training_row(logs):
    log = logs[0]
    model = next(m for m in fit_intensity([log], SETTINGS) if isinstance(m, IntensityModel))
    before = log.where(np.arange(len(log)) < len(log) - 1)
    asked = model.predict(
        before,
        str(log.exercise[-1]),
        float(log.started_s[-1]),
        reps=float(log.reps[-1]),
        weight_kg=float(log.weight_kg[-1]),
        session=int(log.session[-1]),
    )
    assert asked == model.predict_rows(intensity_rows(log, model.scale).x[-1:])[0]


def test_intervals_hold_four_of_five_later_sets(logs):
    cutoff_s = START_S + 11 * WEEK_S
    inside = []
    for log, model in zip(
        logs, fit_intensity([log.sessions_before(cutoff_s) for log in logs], SETTINGS), strict=True
    ):
        if isinstance(model, IntensityModel):
            errors, _ = errors_after(model, log, cutoff_s)
            low, high = model.interval(0.5)
            assert low == pytest.approx(0.5 - NORMAL_80 * model.error)
            inside.append(np.abs(errors) <= (high - low) / 2)
    assert 0.75 < np.concatenate(inside).mean() < 0.85


def test_interval_ends_at_nothing_and_at_all_that_is_possible(logs):
    model = next(m for m in fit_intensity([logs[0]], SETTINGS) if isinstance(m, IntensityModel))
    wide = replace(model, error=0.5)
    assert wide.interval(0.1)[0] == 0.0
    assert wide.interval(0.9)[1] == 1.0


def some_rows(seed, n=60, d=4):
    random = np.random.default_rng(seed)
    x = random.normal(2, [1, 5, 0.1, 3], (n, d))
    return x, x @ [0.3, -0.1, 2.0, 0.0] + 1.5 + random.normal(0, 0.2, n)


@pytest.mark.parametrize("reg", [0.1, 0.01, 3.0])
def test_linear_fit_with_intercept_equals_ridge_on_standardised_columns(reg):
    """1/(2n) Σe² + λ/(2σ_y) Σ(σ w)² is scikit-learn's Σe² + α|v|² with α = n λ / σ_y on x / σ."""
    x, y = some_rows(0)
    spread = x.std(axis=0)
    peer = Ridge(alpha=len(y) * reg / y.std()).fit(x / spread, y)
    ours = fit_linear(moments(x, y)[None], reg_param=reg, fit_intercept=True)
    assert ours.weights[0] == pytest.approx(peer.coef_ / spread, rel=1e-9)
    assert ours.intercepts[0] == pytest.approx(peer.intercept_, rel=1e-9)


def test_linear_fit_without_intercept_equals_ridge_through_the_origin():
    x, y = some_rows(1)
    spread = x.std(axis=0)
    peer = Ridge(alpha=len(y) * 0.1 / y.std(), fit_intercept=False).fit(x / spread, y)
    ours = fit_linear(moments(x, y)[None], reg_param=0.1, fit_intercept=False)
    assert ours.weights[0] == pytest.approx(peer.coef_ / spread, rel=1e-9)
    assert ours.intercepts[0] == 0


FLAT_X = np.array([[1.0, 2.0, 7.0], [2.0, 1.0, 7.0], [3.0, 5.0, 7.0], [4.0, 3.0, 7.0]])
FLAT_Y = np.array([1.0, 2.0, 2.5, 4.0])


def test_linear_fit_with_constant_columns_and_labels():
    sums = moments(FLAT_X, FLAT_Y)[None]
    for intercept in (True, False):
        assert fit_linear(sums, reg_param=0.1, fit_intercept=intercept).weights[0, 2] == 0
    flat = moments(FLAT_X, np.full(4, 0.3))[None]
    constant = fit_linear(flat, reg_param=0.1, fit_intercept=True)
    assert constant.weights[0].tolist() == [0, 0, 0]
    assert constant.intercepts[0] == pytest.approx(0.3)
    assert np.isnan(fit_linear(flat, reg_param=0.1, fit_intercept=False).weights).all()


@pytest.mark.parametrize("intercept", [True, False])
def test_linear_fit_of_labels_that_are_all_zero_is_zero(intercept):
    """At w = 0, b = 0 neither the error nor the penalty can be less: both are 0."""
    nothing = moments(FLAT_X, np.zeros(4))[None]
    zero = fit_linear(nothing, reg_param=0.1, fit_intercept=intercept)
    assert (zero.weights.tolist(), zero.intercepts.tolist()) == ([[0, 0, 0]], [0])
    assert fit_grid(nothing, nothing, [(0.1, intercept), (0.01, True)]).errors.tolist() == [[0, 0]]


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.001, 10), st.booleans())
def test_rmse_from_moments_equals_rmse_of_the_rows(seed, reg, intercept):
    x, y = some_rows(seed)
    sums = moments(x, y)[None]
    linear = fit_linear(sums, reg_param=reg, fit_intercept=intercept)
    error = x @ linear.weights[0] + linear.intercepts[0] - y
    assert rmse(sums, linear)[0] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)


def test_grid_chooses_the_lowest_validation_error_and_refits_on_all_rows():
    x, y = some_rows(2)
    train, validation = moments(x[:40], y[:40]), moments(x[40:], y[40:])
    fit = fit_grid(train[None], validation[None], SETTINGS.grid)
    errors = []
    for reg, intercept in SETTINGS.grid:
        linear = fit_linear(train[None], reg_param=reg, fit_intercept=intercept)
        predicted = x[40:] @ linear.weights[0] + linear.intercepts[0]
        errors.append(np.sqrt(((predicted - y[40:]) ** 2).mean()))
    assert fit.errors[0] == pytest.approx(errors)
    assert fit.chosen[0] == int(np.argmin(errors))
    reg, intercept = SETTINGS.grid[int(np.argmin(errors))]
    again = fit_linear(moments(x, y)[None], reg_param=reg, fit_intercept=intercept)
    assert fit.linear.weights[0] == pytest.approx(again.weights[0])


def test_point_of_the_grid_without_a_fit_is_not_chosen():
    """Of a constant label only the points with an intercept can be fitted: of these the first."""
    sums = moments(FLAT_X, np.full(4, 0.3))[None]
    fit = fit_grid(sums, sums, [(0.1, False), (0.1, True), (0.01, True)])
    assert np.isnan(fit.errors[0]).tolist() == [True, False, False]
    assert fit.chosen.tolist() == [1]
    assert fit.linear.intercepts == pytest.approx([0.3])


def test_users_fitted_in_a_batch_equal_users_fitted_alone(logs):
    together = fit_intensity(logs, SETTINGS)
    for log, model in zip(logs, together, strict=True):
        (alone,) = fit_intensity([log], SETTINGS)
        if isinstance(model, str):
            assert alone == model
        else:
            assert alone.weights == pytest.approx(model.weights, rel=1e-9, abs=1e-12)
            assert (alone.reg_param, alone.fit_intercept) == (model.reg_param, model.fit_intercept)


def test_validation_rows_are_the_latest_and_do_not_affect_the_scale(logs):
    log = logs[0]
    rows = training_rows(log, SETTINGS)
    told = np.flatnonzero(np.isfinite(log.intensity))
    newest_session = log.session[told[len(told) - round(0.25 * len(told))]]
    assert rows.train.tolist() == (log.session[told] < newest_session).tolist()
    assert 0.7 < rows.train.mean() < 0.75
    late = replace(log, weight_kg=log.weight_kg.copy())
    late.weight_kg[log.session >= newest_session] *= 3
    again = training_rows(late, SETTINGS).scale
    assert np.array_equal(again.mean, rows.scale.mean, equal_nan=True)


def test_too_few_sets_give_a_reason():
    assert fit_intensity([LOG], SETTINGS) == ["3 sets with an intensity, 40 are needed"]
    enough, more = (replace(SETTINGS, least_sets=least) for least in (3, 4))
    assert fit_intensity([LOG], more) == ["3 sets with an intensity, 4 are needed"]
    (model,) = fit_intensity([LOG], enough)
    assert model.sets == 3


def test_last_rated_set_is_validated_on_however_small_its_share():
    rows = training_rows(LOG, replace(SETTINGS, least_sets=3, validation_share=0.1))
    assert (rows.train.tolist(), rows.y.tolist()) == ([True, True, False], [0.6, 0.8, 0.7])


def test_sets_of_one_session_alone_are_cut_within_it():
    """No session had ended when the latest sets began: a user with a model would lose it."""
    one = LOG.where(LOG.session == 0)
    rows = training_rows(one, replace(SETTINGS, least_sets=2))
    assert (rows.train.tolist(), rows.y.tolist()) == ([True, False], [0.6, 0.8])
    (model,) = fit_intensity([one], replace(SETTINGS, least_sets=2))
    assert model.sets == 2


def test_users_are_evaluated_on_whole_sessions(logs):
    """The cut-off lies within a session: it had not ended, so its first sets are later ones too."""
    log = logs[0]
    session = log.session == log.session[len(log) // 2]
    cutoff_s = float(log.started_s[session][2])
    early = log.sessions_before(cutoff_s)
    assert early.session.max() == log.session[session][0] - 1
    (model,) = fit_intensity([early], replace(SETTINGS, least_sets=10))
    later = np.isfinite(log.intensity) & (log.session >= log.session[session][0])
    assert len(errors_after(model, log, cutoff_s)[0]) == later.sum()


def test_features_of_unknown_exercises_and_numbers_are_the_usual():
    """The scale is of squats alone; a weight of 0 kg and a set without a number say nothing."""
    scale = fit_scale(LOG.where(LOG.exercise == "squat"))
    curls = [row("c", 9, "curl", 10, 20.0, None), row("c", 9.01, "curl", None, 0.0, None)]
    x = intensity_rows(SetLog.of(curls), scale).x
    assert x[:, :8].tolist() == [[0, 0, 0, scale.usual, scale.usual, scale.usual, 0, 0]] * 2
    nothing = fit_scale(SetLog.of([]))
    assert nothing.usual == 0.5
    assert (intensity_rows(SetLog.of(curls), nothing).x[:, 3:6] == 0.5).all()
    assert intensity_rows(SetLog.of(curls), nothing).x[:, :3].tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("sets", range(2, 30))
def test_z_scores_of_an_exercise_without_spread_are_zero(sets):
    """Always 20 kg ten times: the mean of the log loads may be rounded, which is no spread."""
    scale = fit_scale(SetLog.of([row("a", day, "squat", 10, 20.0, 0.5) for day in range(sets)]))
    heavier = SetLog.of([row("b", 99, "squat", 11, 22.5, None)])
    assert intensity_rows(heavier, scale).x[:, :3].tolist() == [[0, 0, 0]]


def test_z_scores_of_a_gram_on_a_ton_are_computed():
    """A spread of a millionth, as small as weights can be told apart."""
    log = SetLog.of([row("a", day, "squat", 10, 1000.0 + 0.001 * day, 0.5) for day in range(2)])
    assert intensity_rows(log, fit_scale(log)).x[:, 0].tolist() == pytest.approx([-1, 1], rel=1e-6)


def test_z_scores_are_at_most_five():
    usual = [row("a", day, "squat", 5, 100.0 + day % 2, 0.5) for day in range(10)]
    log = SetLog.of([*usual, row("b", 20, "squat", 5, 200.0, 0.5)])
    z = intensity_rows(log, fit_scale(SetLog.of(usual))).x[:, 0]
    assert z.tolist() == pytest.approx([-1, 1] * 5 + [5])
