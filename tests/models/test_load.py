"""Load: forecasts of weight, repetitions and intensity of the next set."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.history import WEEK_S, DoneSet, SetLog
from models.load.evaluate import evaluate_load
from models.load.features import FORECASTS, LAST, TARGETS, forecasts, later_sets
from models.load.fit import LoadSettings, fit_load, margin_of, ridge_blend
from models.load.model import LoadModel
from models.population.simulate import START_S, simulate
from schemas.errors import NotEnoughLabels

SETTINGS = LoadSettings()


def log_of(*sessions, exercise="squat", reps=5, intensity=0.8):
    """Each session a list of weights of one exercise."""
    return SetLog.of(
        DoneSet(f"{day:03d}", day * 86_400.0 + place, exercise, reps, weight, intensity)
        for day, weights in enumerate(sessions)
        for place, weight in enumerate(weights)
    )


def test_forecasts_beat_the_last_value_baseline_on_simulated_people():
    logs = [SetLog.of(person.sets()) for person in simulate(16, 16, 8)]
    scores = evaluate_load(logs, START_S + 13 * WEEK_S, SETTINGS)
    for target in TARGETS:
        assert scores[target].error < scores[target].last_error
    assert scores["weight_kg"].error < 0.7 * scores["weight_kg"].last_error
    assert scores["weight_kg"].covered == pytest.approx(SETTINGS.coverage, abs=0.1)


def test_error_of_one_mistyped_weight_is_bounded():
    """0.1 kg instead of 100 kg is a thousandfold error of any forecast."""
    weights = [100.0, 105.0] * 40
    log = log_of(*[[weight] for weight in weights], [0.1], [100.0])
    cutoff_s = log.started_s[60]
    clean = evaluate_load([log_of(*[[w] for w in weights])], cutoff_s, SETTINGS)["weight_kg"]
    typed = evaluate_load([log], cutoff_s, SETTINGS)["weight_kg"]
    assert typed.sets == clean.sets + 2
    for of_one, of_other in ((typed.error, clean.error), (typed.last_error, clean.last_error)):
        assert of_one * typed.sets - of_other * clean.sets <= 2


def test_simple_forecasts_of_a_known_history():
    """Two sessions of a pyramid; the second is 10 kg heavier."""
    log = log_of([60, 70, 80], [70, 80, 90])
    table = forecasts(log, "weight_kg")
    assert np.isnan(table[0]).all()
    third = dict(zip(FORECASTS, table[5], strict=True))
    assert third["last"] == 80
    assert third["same"] == 80
    assert third["same_step"] == 80 + (80 - 70)
    assert third["usual"] == third["onwards"] == 80
    first = dict(zip(FORECASTS, table[3], strict=True))
    assert (first["last"], first["same"], first["same_step"]) == (80, 60, 80)  # no step before it
    usual, onwards = FORECASTS.index("usual"), FORECASTS.index("onwards")
    longer = forecasts(log_of([60], [70], [70], [70]), "weight_kg")
    assert longer[2, [usual, onwards]] == pytest.approx([60 + 0.35 * 10, 70 + 0.35 * 10])
    mean, step = 63.5 + 0.35 * (70 - 63.5), 3.5 + 0.35 * (0 - 3.5)
    assert longer[3, [usual, onwards]] == pytest.approx([mean, 70 + step])
    assert later_sets(log).tolist() == [False, True, True] * 2


def test_forecasts_use_only_earlier_sets_of_the_same_exercise():
    log = log_of([60, 70, 80], [70, 80, 90])
    other = replace(log, weight_kg=log.weight_kg.copy())
    other.weight_kg[4] = 500
    assert np.array_equal(forecasts(other, "weight_kg")[:5], forecasts(log, "weight_kg")[:5],
                          equal_nan=True)  # fmt: skip
    mixed = SetLog.of(
        DoneSet("a", at, name, 5, weight, None)
        for at, (name, weight) in enumerate([("x", 1.0), ("y", 50.0), ("x", 2.0), ("y", 60.0)])
    )
    assert forecasts(mixed, "weight_kg")[2:, LAST].tolist() == [1.0, 50.0]


def test_set_without_a_weight_keeps_its_place():
    log = log_of([60, 70, 80], [62, None, 82])
    assert forecasts(log, "weight_kg")[5, FORECASTS.index("same")] == 80
    assert forecasts(log, "weight_kg")[5, LAST] == 62


def test_pyramid_is_forecast_by_the_place_in_the_session():
    log = log_of(*[[60, 70, 80]] * 40)
    model = fit_load(log, SETTINGS)
    found = model.predict(log, "squat")["weight_kg"]
    assert (found.value, found.last) == (60, 80)
    assert found.low == pytest.approx(60)
    assert found.high == pytest.approx(60)
    begun = log_of(*[[60, 70, 80]] * 40, [60])
    assert model.predict(begun, "squat", session=40)["weight_kg"].value == pytest.approx(70)
    assert set(model.predict(log, "squat")) == set(TARGETS)
    assert model.predict(log, "unknown") == {}


def test_interval_and_value_are_within_the_limits_of_the_target():
    """The last intensity is 0.95, and forecasts are off by 0.2 either way."""
    log = log_of([60, 70], intensity=0.95)
    weights = np.tile(np.eye(len(FORECASTS))[LAST], (3, 2, 1))
    model = LoadModel(weights, np.array([0.1, 2.0, 0.2]), 0.8, 2)
    forecast = model.predict(log, "squat")
    intensity = forecast["intensity"]
    assert (intensity.value, intensity.low, intensity.high) == pytest.approx((0.95, 0.75, 1.0))
    weight = forecast["weight_kg"]
    assert (weight.value, weight.low, weight.high) == pytest.approx((70, 63, 77))
    reps = forecast["reps"]
    assert (reps.value, reps.low, reps.high) == pytest.approx((5, 1, 15))  # twice 5 either way


def test_random_walk_is_forecast_by_its_last_value():
    """For a random walk in logarithms the last value is the best forecast."""
    weights = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.05, 200))) * 60
    model = fit_load(log_of(*weights.reshape(-1, 1).tolist()), SETTINGS)
    assert model.weights[0, 0].tolist() == np.eye(len(FORECASTS))[LAST].tolist()


def test_sets_after_one_without_weight_tell_no_share_of_it():
    """A body's own weight is 0 kg."""
    weights = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.05, 200))) * 60
    weights[::3] = 0.0
    model = fit_load(log_of(*weights.reshape(-1, 1).tolist()), SETTINGS)
    assert np.isfinite(model.weights).all()
    assert np.isfinite(model.margin).all()


def test_ridge_blend_finds_the_right_forecast_or_keeps_last_with_a_large_penalty():
    random = np.random.default_rng(1)
    table = 60 + random.normal(0, 5, (300, len(FORECASTS)))
    right = FORECASTS.index("usual")
    free = ridge_blend(table, table[:, right], "weight_kg", 1e-9)
    assert free == pytest.approx(np.eye(len(FORECASTS))[right], abs=1e-6)
    held = ridge_blend(table, table[:, right], "weight_kg", 1e9)
    assert held == pytest.approx(np.eye(len(FORECASTS))[LAST], abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(10, 60), st.sampled_from([0.5, 0.8, 0.9]), st.integers(0, 99))
def test_conformal_margins_have_the_requested_coverage(n, coverage, seed):
    """The coverage is at least the requested one, and at most 1 / (n + 1) more."""
    errors = np.random.default_rng(seed).exponential(size=(4000, n + 1))
    margins = np.array([margin_of(row[:n], coverage) for row in errors])
    covered = np.mean(errors[:, n] <= margins)
    assert coverage - 0.03 < covered
    if np.isfinite(margins).all():
        assert covered < coverage + 1 / (n + 1) + 0.03


def test_too_few_sets_are_refused_and_too_few_errors_give_no_interval():
    with pytest.raises(NotEnoughLabels, match="2 sets, 40 are needed"):
        fit_load(log_of([60, 70]), SETTINGS)
    assert fit_load(log_of([60, 70]), replace(SETTINGS, least_sets=2)).sets == 2
    log = log_of([60, 70])
    weights = np.tile(np.eye(len(FORECASTS))[LAST], (3, 2, 1))
    model = LoadModel(weights, np.full(3, np.inf), 0.8, 2)
    found = model.predict(log, "squat")["weight_kg"]
    assert (found.value, found.low, found.high) == (70, None, None)
