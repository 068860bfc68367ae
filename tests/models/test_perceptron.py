"""Perceptrons on synthetic classes, trained in one process and averaged over workers."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from models.exercise.perceptron import (
    PerceptronSettings,
    average,
    epoch,
    error,
    iterative_reduce,
    loss,
    perceptron_from_bytes,
    perceptron_to_bytes,
    start,
)
from schemas.errors import BadModelBytes, NotEnoughLabels

SIZE, LABELS = 20, 4
SETTINGS = PerceptronSettings()


def crowd(people: int, seed: int):
    """Overlapping classes; every person has a random offset."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(0, 0.9, (LABELS, SIZE))
    x, y = [], []
    for _ in range(people):
        labels = rng.integers(0, LABELS, 150)
        x.append(centres[labels] + rng.normal(0, 0.3, SIZE) + rng.normal(0, 1, (150, SIZE)))
        y.append(labels)
    return [(a.astype(np.float32), b) for a, b in zip(x, y, strict=True)]


def workers(splits, settings, model, round_number):
    return [(epoch(model, x, y, settings, round_number), float(len(y))) for x, y in splits]


def joined(splits):
    return np.concatenate([x for x, _ in splits]), np.concatenate([y for _, y in splits])


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_averaging_over_four_workers_is_within_a_point_of_one_process(hidden):
    settings = replace(SETTINGS, hidden=hidden, learning_rate=0.1)
    people, held_out = crowd(16, 1), joined(crowd(12, 2))
    first = start(SIZE, LABELS, settings)
    assert error(first, *held_out) > 0.5
    splits = [joined(people[n::4]) for n in range(4)]
    many, rounds = iterative_reduce(
        first, partial(workers, splits, settings), lambda model: loss(model, *held_out), rounds=60
    )
    alone, _ = iterative_reduce(
        first,
        partial(workers, [joined(people)], settings),
        lambda model: loss(model, *held_out),
        rounds=60,
    )
    assert error(many, *held_out) < 0.05
    assert error(many, *held_out) == pytest.approx(error(alone, *held_out), abs=0.01)
    assert len(rounds) < 60  # it ended because the error stopped falling


def test_round_without_a_worker_is_not_enough_to_learn_from():
    first = start(SIZE, LABELS, SETTINGS)
    with pytest.raises(NotEnoughLabels, match="no worker had a window"):
        iterative_reduce(first, lambda model, round_number: [], lambda model: 0.0)


def test_training_stops_after_patience_and_returns_the_best_round():
    answers = iter([5.0, 3.0, 4.0, 3.5, 3.2, 1.0])
    seen = []
    first = start(2, 2, SETTINGS)

    def work(model, round_number):
        seen.append(round_number)
        return [(average([(model, 1.0)]), 1.0)]

    best, errors = iterative_reduce(first, work, lambda _: next(answers), patience=3)
    assert errors == (5.0, 3.0, 4.0, 3.5, 3.2)
    assert seen == [0, 1, 2, 3, 4]
    assert best.weights[0].shape == (2, 2)


@pytest.mark.parametrize("hidden", [(), (5,), (6, 3)])
def test_gradient_step_reduces_the_loss_by_the_squared_gradient(hidden):
    """For any number of layers."""
    settings = PerceptronSettings(
        hidden=hidden, learning_rate=1e-3, momentum=0.0, l2=0.0, batch=10**6
    )
    x, y = joined(crowd(2, 3))
    model = start(SIZE, LABELS, settings)
    moved = epoch(model, x, y, settings, 0)
    pairs = [*zip(moved.weights, model.weights, strict=True)]
    pairs += [*zip(moved.biases, model.biases, strict=True)]
    expected = sum(float(((a - b) ** 2).sum()) for a, b in pairs) / settings.learning_rate
    assert loss(model, x, y) - loss(moved, x, y) == pytest.approx(expected, rel=0.05)


def test_same_seed_gives_the_same_bytes_which_round_trip():
    x, y = joined(crowd(2, 4))
    settings = PerceptronSettings(hidden=(8,))
    model, again = (epoch(start(SIZE, LABELS, settings), x, y, settings, 0) for _ in range(2))
    blob = perceptron_to_bytes(model)
    assert blob == perceptron_to_bytes(again)
    assert np.array_equal(perceptron_from_bytes(blob).scores(x), model.scores(x))
    with pytest.raises(BadModelBytes):
        perceptron_from_bytes(blob[:-5])
