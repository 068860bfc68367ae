"""Statistics from quantised windows equal those of the windows themselves."""

import numpy as np
import pytest

from models.exercise.examples import SetWindows
from models.exercise.quantised import quantise
from models.exercise.quantised_statistics import (
    ExerciseWindows,
    framed_statistics,
    statistics_of_sets,
)
from models.exercise.statistics import frame_of, statistics_of, total
from schemas.errors import NotEnoughLabels
from tests.models.movements import alike

SPREAD = 10.0 ** np.arange(-3, 4)


def kept_sets(shapes: list[tuple[str, str, float, int]], seed: int) -> list[ExerciseWindows]:
    rng = np.random.default_rng(seed)
    found: list[ExerciseWindows] = []
    for name, side, window_s, n in shapes:
        x = ((5 + rng.normal(size=(n, 7))) * SPREAD).astype(np.float32)
        found.append((name, quantise(SetWindows(side, window_s, 1, x))))
    return found


MANY = kept_sets(
    [
        ("row", "left", 0.5, 4),
        ("curl", "left", 0.25, 3),
        ("row", "left", 1.0, 2),
        ("row", "right", 0.5, 1),
        *((f"move {k % 3}", "left", 0.5, 300 * k + 1) for k in range(4)),
    ],
    3,
)


def apart():
    return total([statistics_of(one.x, name, one.side, one.window_s) for name, one in MANY])


def test_statistics_of_all_sets_equal_the_sum_of_each_set():
    assert alike(statistics_of_sets(MANY), apart())


def test_framed_statistics_equal_statistics_moved_into_the_frame():
    frame = frame_of(apart())
    found, want = framed_statistics(MANY, frame), apart().framed(frame)
    assert found.moments.dtype == np.float32
    assert found.groups == want.groups
    assert found.seconds == pytest.approx(want.seconds)
    np.testing.assert_allclose(found.sums / SPREAD, want.sums / SPREAD, atol=1e-3)
    unit = np.outer(SPREAD, SPREAD)
    np.testing.assert_allclose(
        np.triu(found.moments) / unit, np.triu(want.moments) / unit, rtol=2e-3, atol=1e-2
    )


def test_empty_set_adds_nothing_and_is_refused_alone():
    empty = quantise(SetWindows("left", 1.0, 0, np.empty((0, 7), np.float32)))
    assert alike(statistics_of_sets([("none", empty), *MANY]), statistics_of_sets(MANY))
    with pytest.raises(NotEnoughLabels, match="none of 1 labelled sets"):
        statistics_of_sets([("none", empty)])
