"""From log odds per moment to spans of exercise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.activity.segments import Segment, merge_across_gaps
from models.activity.states import spans_of, viterbi_states

NS = 1_000_000_000


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 9), stay=st.floats(0.55, 0.999))
def test_viterbi_path_is_the_best_of_all_paths(seed: int, n: int, stay: float) -> None:
    odds = np.random.default_rng(seed).normal(0, 3, n)

    def worth(path: tuple[int, ...]) -> float:
        changes = sum(a != b for a, b in zip(path, path[1:], strict=False))
        kept = n - 1 - changes
        return float(odds @ path) + changes * math.log(1 - stay) + kept * math.log(stay)

    paths = [tuple((k >> i) & 1 for i in range(n)) for k in range(2**n)]
    found = tuple(int(s) for s in viterbi_states(odds, stay))
    assert worth(found) == pytest.approx(max(worth(p) for p in paths))


def test_spans_extend_to_the_ends_of_the_signal() -> None:
    centre_s = np.array([2.0, 2.5, 3.0, 3.5])
    states = np.array([True, False, False, True])
    assert spans_of(states, centre_s, 6.0) == [(0.0, 2.25), (3.25, 6.0)]


def test_distant_segments_are_not_merged() -> None:
    apart = [Segment(10 * NS, 20 * NS, 0.9), Segment(0, 5 * NS, 0.8)]
    assert merge_across_gaps(apart) == (apart[1], apart[0])
