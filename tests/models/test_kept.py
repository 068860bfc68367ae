"""Windows as they are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exercise.examples import SetWindows
from models.exercise.kept import STEPS, windows_from_bytes, windows_to_bytes
from schemas.errors import BadSamples


@given(st.integers(0, 9), st.integers(1, 30), st.integers(0, 2**31), st.floats(-3, 3))
def test_windows_come_back_within_a_step_and_stay_as_they_came(rows, size, seed, power):
    rng = np.random.default_rng(seed)
    x = (rng.normal(0, 10**power, (rows, size)) + rng.normal(0, 1, size)).astype(np.float32)
    windows = SetWindows("left", 0.5, min(rows, 3), x)
    blob = windows_to_bytes(windows, "this")
    found = windows_from_bytes(blob, "this")
    assert (found.side, found.window_s, found.asked) == ("left", 0.5, min(rows, 3))
    assert found.x.shape == x.shape or rows == 0
    if rows:
        half_a_step = (x.max(axis=0) - x.min(axis=0)) / STEPS / 2
        near = 1.01 * half_a_step + 2e-3 * np.abs(x).max(axis=0) + 1e-6  # float16 rounds the rest
        assert (np.abs(found.x - x) <= near).all()


def test_windows_of_something_else_and_junk_are_refused():
    blob = windows_to_bytes(SetWindows("left", 1.0, 1, np.ones((1, 4), np.float32)), "this")
    with pytest.raises(BadSamples, match="'this', not 'that'"):
        windows_from_bytes(blob, "that")
    for junk in (b"", b"\x93 junk", blob[:-3]):
        with pytest.raises(BadSamples):
            windows_from_bytes(junk, "this")
