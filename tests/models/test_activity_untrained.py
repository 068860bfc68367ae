"""Sets found by rhythm alone, before anything was learned."""

import math

import numpy as np
import pytest

from models.activity.evaluate import (
    border_errors,
    precision_recall,
)
from models.activity.periodicity import periodicity
from models.activity.settings import SETTINGS
from models.activity.untrained import run_length, untrained_segments
from models.signal.wrist import WristSignal
from tests.models.activity_sessions import idle_rows, session, set_rows


def test_untrained_rhythm_finds_sets_and_no_false_ones() -> None:
    recording = session(7)
    found = untrained_segments(recording.signals)
    precision, recall = precision_recall([(recording, found)], 0.0)
    assert precision > 0.9
    assert recall > 0.5
    rng = np.random.default_rng(3)
    x = idle_rows(60, rng).astype(np.float32)
    assert untrained_segments([WristSignal(0, x[:, :3], x[:, 3:], "left")]) == ()


def test_untrained_borders_are_extended_to_where_self_similarity_ends() -> None:
    """The periodicity window is twelve seconds; extended borders are off by less than three."""
    recording = session(7)
    starts, ends = border_errors([(recording, untrained_segments(recording.signals))])
    assert np.abs(np.concatenate([starts, ends])).max() < 3.0
    assert run_length(np.array([False, True])) == 0
    assert run_length(np.ones(3, dtype=bool)) == 3


@pytest.mark.parametrize("period_s", [1.0, 2.0, 4.0])
def test_periodicity_lag_is_a_multiple_of_the_period(period_s: float) -> None:
    rng = np.random.default_rng(0)
    x = set_rows(30, period_s, rng).astype(np.float32)
    signal = WristSignal(0, x[:, :3], x[:, 3:], "left")
    height, _, lag = periodicity(signal, np.array([15.0]))[0]
    assert height > 0.9
    periods = math.exp(lag) / period_s
    assert periods == pytest.approx(max(1, round(periods)), rel=0.06)


def test_periodicity_of_noise_is_low() -> None:
    rng = np.random.default_rng(0)
    x = idle_rows(30, rng).astype(np.float32)
    signal = WristSignal(0, x[:, :3], x[:, 3:], "left")
    assert periodicity(signal, np.arange(6.0, 24.0))[:, 0].mean() < SETTINGS.untrained_threshold
