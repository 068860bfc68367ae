"""Border models of sets, on synthetic marks, labels and postures."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.activity.border_examples import fit_both_borders
from models.activity.borders import (
    POSTURE_FEATURES,
    BorderDistribution,
    ScoredSignal,
    best_time,
    candidates,
    certain_border,
    part_means,
    posture_means,
)
from models.activity.logit import (
    BorderExample,
    BorderModel,
    design_of,
    fit_borders,
    fit_newton,
    penalised_log_likelihood,
    probabilities,
)
from models.activity.settings import SETTINGS
from models.activity.traces import Postures, speed_rank
from models.signal.wrist import WristSignal

RIDGE = 10.0
AT_S = np.arange(-8.0, 8.05, 0.1)


def marked(
    rng: np.random.Generator, off_s: NDArray[np.float64], duration_s: float = 4.0
) -> list[BorderExample]:
    """Sets whose border is where the first feature peaks, the second being noise.

    Args:
        rng: the seed.
        off_s: (e,) the error of each label.
        duration_s: how far borders lie from the first guess.
    """
    found: list[BorderExample] = []
    for off in off_s.tolist():
        true_s = float(rng.uniform(-duration_s, duration_s))
        mark = np.exp(-0.5 * ((AT_S - true_s) / 0.5) ** 2) + rng.normal(0, 0.1, len(AT_S))
        x = np.column_stack([mark, rng.normal(size=len(AT_S))])
        found.append((AT_S, x, true_s + off))
    return found


def errors_of(model: BorderModel, examples: list[BorderExample]) -> NDArray[np.float64]:
    """Found minus labelled, s."""
    return np.array(
        [
            best_time(BorderDistribution(at_s, model.probabilities(x)), SETTINGS.border_within_s)
            - label_s
            for at_s, x, label_s in examples
        ]
    )


def learned(mine: list[BorderExample], others: list[BorderExample]) -> BorderModel:
    model = fit_borders(mine, others, RIDGE, SETTINGS)
    assert model is not None
    return model


def test_border_model_finds_the_feature_that_marks_borders() -> None:
    rng = np.random.default_rng(0)
    model = learned(marked(rng, np.zeros(40)), [])
    assert np.abs(errors_of(model, marked(rng, np.zeros(20)))).max() < 1.0


def test_border_model_is_robust_to_inexact_labels() -> None:
    """The labels are a second off on average, a fifth of them are random."""
    rng = np.random.default_rng(0)
    off_s = np.where(np.arange(60) % 5 == 0, rng.uniform(-4, 4, 60), rng.laplace(0, 1, 60))
    model = learned(marked(rng, off_s), [])
    errors = np.abs(errors_of(model, marked(rng, np.zeros(40))))
    assert errors.max() < 1.0
    assert errors.mean() < 0.2 * np.abs(off_s).mean()


def test_few_ends_borrow_strength_from_many_starts() -> None:
    """Two ends alone cannot separate the mark from noise; with forty starts they can."""
    rng = np.random.default_rng(3)
    few, many, unseen = (marked(rng, np.zeros(n)) for n in (2, 40, 40))
    alone, helped = (np.abs(errors_of(learned(few, o), unseen)).mean() for o in ([], many))
    assert helped < 0.5 * alone


def test_starts_and_ends_with_opposite_marks_are_both_learned() -> None:
    """The feature peaks at starts and dips at ends; both have many examples."""
    rng = np.random.default_rng(4)
    starts, ends = (marked(rng, np.zeros(60)) for _ in range(2))
    dips = [(at_s, x * [-1.0, 1.0], label_s) for at_s, x, label_s in ends]
    for mine, others in ((starts, dips), (dips, starts)):
        assert np.median(np.abs(errors_of(learned(mine, others), mine))) < 0.5


def test_border_model_is_none_without_borders_in_reach() -> None:
    far = [(AT_S, np.zeros((len(AT_S), 1)), 50.0)]
    assert fit_borders(far, [], RIDGE, SETTINGS) is None
    assert fit_borders([], marked(np.random.default_rng(0), np.zeros(3)), RIDGE, SETTINGS) is None


def test_posture_features_are_used_for_ends_only() -> None:
    rng = np.random.default_rng(0)
    wide = [
        (at_s, np.hstack([x, rng.normal(size=(len(at_s), POSTURE_FEATURES))]), label_s)
        for at_s, x, label_s in marked(rng, np.zeros(6))
    ]
    start, end = fit_both_borders(wide, wide)
    assert start is not None
    assert end is not None
    assert (len(start.weights), len(end.weights)) == (2, 2 + POSTURE_FEATURES)


def test_newton_fit_is_a_maximum_of_the_penalised_likelihood() -> None:
    rng = np.random.default_rng(1)
    design = design_of(marked(rng, rng.laplace(0, 1, 20)), np.zeros(2), np.ones(2), SETTINGS)
    away = np.array([0.5, -0.5])
    weights = fit_newton(design, away, RIDGE)
    top = penalised_log_likelihood(design, weights, away, RIDGE)
    for angle in np.linspace(0, 2 * np.pi, 16):
        nudged = weights + 0.1 * np.array([np.cos(angle), np.sin(angle)])
        assert penalised_log_likelihood(design, nudged, away, RIDGE) < top


def test_border_probabilities_of_each_set_sum_to_one() -> None:
    """Also for sets with few candidates, next to the end of a signal."""
    rng = np.random.default_rng(1)
    sets = [(AT_S[:k], rng.normal(size=(k, 2)), 0.0) for k in (161, 9, 40)]
    design = design_of(sets, np.zeros(2), np.ones(2), SETTINGS)
    p = probabilities(design, np.array([3.0, -700.0]))
    np.testing.assert_allclose(design.sums(p), 1.0)


def test_end_features_equal_start_features_of_the_reversed_recording() -> None:
    rng = np.random.default_rng(2)
    trace, at_s = rng.normal(size=(600, 3)), np.arange(3.0, 57.0, 0.1)
    starts = part_means(trace, at_s, end=False)
    ends = part_means(trace[::-1], 60.0 - at_s, end=True)
    np.testing.assert_allclose(starts, ends, atol=1e-9)
    signal = WristSignal(0, np.zeros((3000, 3), np.float32), None, None)
    centre_s, odds = np.arange(2.0, 58.5, 0.5), rng.normal(0, 9, 113)
    forwards, backwards = (
        ScoredSignal(signal, centre_s, odds),
        ScoredSignal(signal, centre_s, odds[::-1]),
    )
    _, start = candidates(forwards, trace, 20.0, end=False)
    _, end = candidates(backwards, trace[::-1], 40.0, end=True)
    np.testing.assert_allclose(start, end[::-1], atol=1e-9)


def test_posture_features_compare_with_the_posture_at_the_start() -> None:
    """The arm hangs until 10 s, is up until 20 s, and hangs again, as at the start."""
    rows = np.arange(400) / 10
    up = (rows >= 10) & (rows < 20)
    gravity = np.where(up[:, None], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    found = Postures(gravity, spread_g=0.95)
    at_s = np.array([15.0, 25.0])
    means = posture_means(found, at_s, certain_border(5.0), end=True)
    np.testing.assert_allclose(means[0, ::2], np.sqrt(2))
    np.testing.assert_allclose(means[0, 1::2], np.sqrt(2))
    np.testing.assert_allclose(means[1], 0.0, atol=1e-12)
    unsure = posture_means(
        found, at_s, BorderDistribution(np.array([5.0, 15.0]), np.array([0.75, 0.25])), end=True
    )
    np.testing.assert_allclose(unsure[:, 0], np.sqrt(2) * np.array([0.75, 0.25]))


def test_speed_rank_is_zero_for_the_slowest_and_one_for_the_fastest_samples() -> None:
    x = np.zeros((90, 6))
    x[:, 3] = np.repeat([0.0, 1.0, 2.0], 30)
    rank = speed_rank(x, np.arange(35, 55))
    assert rank[10] == 0.0
    assert rank[45] == 0.0  # no sample of the middle is slower
    assert rank[80] == 1.0


@pytest.mark.parametrize("columns", [3, 6])
def test_speed_rank_works_without_rotation(columns: int) -> None:
    t = np.arange(200) / 10
    x = np.repeat(np.where(t < 10, 0.0, np.sin(t))[:, None], columns, axis=1)
    rank = speed_rank(x, np.arange(110, 190))
    assert rank[:95].max() < 0.05
    assert 0.3 < np.median(rank[110:190]) < 0.7


def test_smaller_label_s_concentrates_probability_at_the_border() -> None:
    """With exact labels a small `label_s` gives more probability at the border."""
    rng = np.random.default_rng(6)
    examples = marked(rng, np.zeros(40))
    at_border = [
        np.mean([m.probabilities(x)[np.abs(at_s - t) <= 0.5].sum() for at_s, x, t in examples])
        for m in (
            fit_borders(examples, [], RIDGE, replace(SETTINGS, label_s=s)) for s in (0.3, 30.0)
        )
        if m is not None
    ]
    assert at_border[0] > at_border[1]
