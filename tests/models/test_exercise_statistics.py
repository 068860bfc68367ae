"""Sufficient statistics: addition, subtraction, means and covariance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exercise.discriminant import within_class_covariance
from models.exercise.statistics import statistics_of, total
from tests.models.movements import alike


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.integers(0, 2**31))
def test_added_statistics_can_be_subtracted_again(which, seed):
    rng = np.random.default_rng(seed)
    parts = [
        statistics_of(rng.normal(size=(5, 7)).astype(np.float32), f"move {k}", "left", 0.5)
        for k in which
    ]
    everything = total(parts)
    assert alike(total(parts[::-1]), everything)
    assert alike(everything - parts[0], total(parts[1:]))


def test_statistics_give_means_and_covariance_of_the_windows():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 5)), 3 + rng.normal(size=(60, 5))
    both = statistics_of(a.astype(np.float32), "a", None, 1.0) + statistics_of(
        b.astype(np.float32), "b", None, 1.0
    )
    labels, seconds, means, covariance = within_class_covariance(both)
    assert labels == ["a", "b"]
    assert seconds.tolist() == [40, 60]
    assert means == pytest.approx(np.stack([a.mean(0), b.mean(0)]), abs=1e-5)
    want = (np.cov(a.T, bias=True) * 40 + np.cov(b.T, bias=True) * 60) / 100
    assert np.triu(covariance) == pytest.approx(np.triu(want), abs=1e-5)


def test_windows_with_nan_are_left_out():
    x = np.ones((3, 4), np.float32)
    x[1, 2] = np.nan
    assert statistics_of(x, "a", None, 1.0).total_s == 2
