"""Quantised windows and their products."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exercise.examples import MAX_ROWS, SetWindows, set_windows
from models.exercise.products import products, variants
from models.exercise.quantised import MAX_COUNT, quantise, windows_from_bytes, windows_to_bytes
from models.exercise.reference import quantised as reference
from schemas.errors import BadSamples
from tests.models.movements import movement


def windows_of(rows: int, size: int, seed: int, power: float = 0.0) -> SetWindows:
    rng = np.random.default_rng(seed)
    x = (rng.normal(0, 10**power, (rows, size)) + rng.normal(0, 1, size)).astype(np.float32)
    return SetWindows("left", 0.5, min(rows, 3), x)


@given(st.integers(0, 9), st.integers(1, 30), st.integers(0, 2**31), st.floats(-3, 3))
def test_quantised_windows_round_trip_within_half_a_step(rows, size, seed, power):
    windows = windows_of(rows, size, seed, power)
    x = windows.x
    found = windows_from_bytes(windows_to_bytes(quantise(windows), "this"), "this")
    assert (found.side, found.window_s, found.evaluation_rows) == ("left", 0.5, min(rows, 3))
    assert found.rows == rows
    assert found.x.shape == x.shape or rows == 0
    assert found.evaluation_x.tobytes() == found.x[:3].tobytes()
    if rows:
        half_a_step = (x.max(axis=0) - x.min(axis=0)) / MAX_COUNT / 2
        near = 1.01 * half_a_step + 2e-3 * np.abs(x).max(axis=0) + 1e-6  # float16 rounds the rest
        assert (np.abs(found.x - x) <= near).all()


@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 2**31), st.floats(-3, 6))
def test_compiled_counts_equal_the_reference(rows, size, seed, power):
    windows = windows_of(rows, size, seed, power)
    found = quantise(windows)
    minimum, step = found.minimum.astype(np.float32), found.step.astype(np.float32)
    want = reference.counts_in(windows.x, minimum, step)
    assert (reference.counts_of(found) == want).all()


def test_constant_feature_is_quantised_exactly():
    found = quantise(SetWindows("left", 1.0, 2, np.full((2, 3), 5.0, np.float32)))
    assert found.x.tolist() == [[5.0] * 3] * 2


@pytest.mark.parametrize("largest", [7e4, -7e4, 3e38])
def test_values_beyond_float16_are_clipped(largest):
    x = np.array([[0.0, 1.0], [largest, 2.0]], np.float32)
    found = quantise(SetWindows("left", 1.0, 2, x)).x
    assert np.isfinite(found).all()
    assert abs(found[1, 0]) == pytest.approx(6e4, rel=5e-3)
    assert found[:, 1] == pytest.approx([1, 2], abs=0.1)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 9) | st.integers(250, 600), min_size=1, max_size=4),
    st.sampled_from([1, 15, 32, 33, 214, 515]),
    st.integers(0, 2**31),
)
def test_every_product_variant_gives_the_bytes_of_the_reference(rows, size, seed):
    rng = np.random.default_rng(seed)
    windows = [quantise(windows_of(m, size, seed + k)) for k, m in enumerate(rows)]
    steps = rng.lognormal(0, 2, (len(rows), size)).astype(np.float32)
    want = reference.products(windows, steps)
    for variant in (*range(variants()), None):
        found = products(windows, steps, variant)
        assert found.sums.tobytes() == want.sums.tobytes()
        assert found.moments.tobytes() == want.moments.tobytes(), variant


def test_products_of_the_largest_counts_do_not_overflow():
    """256 windows with only the largest counts: 15 * 15 * 256, in every variant."""
    x = np.full((512, 40), 1.0, np.float32)
    x[0] = 0
    windows = quantise(SetWindows("left", 1.0, 0, x))
    ones = np.ones((1, 40), np.float32)
    for variant in range(variants()):
        found = products([windows], ones, variant)
        assert (found.sums == MAX_COUNT * 511).all()
        assert (found.moments[np.triu_indices(40)] == MAX_COUNT**2 * 511).all(), variant


def test_products_with_steps_of_a_wrong_shape_are_refused():
    windows = [quantise(windows_of(3, 5, 1))]
    for steps in (np.ones((1, 4), np.float32), np.ones((2, 5), np.float32)):
        with pytest.raises(ValueError, match="steps"):
            products(windows, steps)


def test_windows_of_another_recipe_and_junk_are_refused():
    windows = quantise(SetWindows("left", 1.0, 1, np.ones((1, 4), np.float32)))
    blob = windows_to_bytes(windows, "this")
    with pytest.raises(BadSamples, match="'this', not 'that'"):
        windows_from_bytes(blob, "that")
    for junk in (b"", b"\x93 junk", blob[:-3]):
        with pytest.raises(BadSamples):
            windows_from_bytes(junk, "this")


@pytest.mark.parametrize(
    "change",
    [{"evaluation_rows": 3}, {"evaluation_rows": -1}, {"rows": 5}, {"step": np.ones(3, "<f2")}],
)
def test_windows_with_inconsistent_fields_are_refused(change):
    windows = quantise(windows_of(2, 4, 7))
    with pytest.raises(BadSamples):
        windows_from_bytes(windows_to_bytes(replace(windows, **change), "this"), "this")


def part_of(signal, samples: slice):
    return replace(signal, acc_g=signal.acc_g[samples], gyro_rad_s=signal.gyro_rad_s[samples])


def test_windows_of_a_long_set_are_capped_and_spread_over_the_whole_set(monkeypatch):
    """Six hours would take eleven megabytes; Cassandra accepts eight in one write."""
    day = movement("turn", 3, 6 * 3600.0)
    given = set_windows([day], seed=7)
    assert (len(given.x), given.evaluation_rows) == (MAX_ROWS, MAX_ROWS // 2)
    assert len(windows_to_bytes(quantise(given), "six hours")) < 2**20
    same = set_windows([day], seed=7)
    assert np.array_equal(given.x, same.x)
    for row, samples in ((0, slice(200)), (given.evaluation_rows - 1, slice(-200, None))):
        alone = set_windows([part_of(day, samples)], seed=7)
        np.testing.assert_allclose(given.x[row], alone.x[0], rtol=1e-4, atol=1e-4)
    short = part_of(day, slice(50 * 1200))
    capped = set_windows([short], seed=7)
    monkeypatch.setattr("models.exercise.examples.MAX_ROWS", 10**6)
    assert np.array_equal(capped.x, set_windows([short], seed=7).x)
