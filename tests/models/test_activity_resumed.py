"""Which parts of a movement that was interrupted are one set."""

import numpy as np
import pytest

from models.activity import resumed
from models.activity.borders import core_span
from models.activity.periodicity import DOWNSAMPLED_HZ
from models.activity.settings import SETTINGS
from models.activity.traces import MAX_COMPARED, core_distance
from models.arrays import Floats64, Indices
from models.signal.wrist import WristSignal
from tests.models.activity_sessions import idle_rows, set_rows
from tests.models.near_traces import traces_within


@pytest.mark.parametrize("stops", [50, 100])
def test_set_that_keeps_going_on_is_compared_in_linear_time(
    monkeypatch: pytest.MonkeyPatch, stops: int
) -> None:
    """Half a minute of exercise, a stop of six seconds, and so on, for up to an hour."""
    compared: list[int] = []

    def alike(x: Floats64, core: Indices, samples: int, rows: Indices) -> Floats64:
        compared.append(len(rows))
        return np.zeros(len(rows))

    monkeypatch.setattr(resumed, "core_distance", alike)
    spans = [(36.0 * k, 36.0 * k + 30) for k in range(stops)]
    signal = WristSignal(0, np.zeros((stops * 1800, 3), np.float32), None, "left")
    assert resumed.merge_resumed(signal, spans) == [(0.0, spans[-1][1])]
    assert len(compared) == stops - 1
    assert max(compared) <= MAX_COMPARED + 30 * DOWNSAMPLED_HZ


def test_rows_to_be_compared_have_the_distance_that_they_have_among_all() -> None:
    rng = np.random.default_rng(8)
    x, core = rng.normal(size=(400, 3)), np.arange(100, 200)
    rows = np.concatenate([core, [250, 251, 399]])
    every = core_distance(x, core, 20)
    np.testing.assert_allclose(core_distance(x, core, 20, rows), every[rows], rtol=1e-12)


@pytest.mark.parametrize("lost", [slice(0), slice(1930, 2060), slice(3390, 3460)])
@pytest.mark.parametrize("longer_s", [5.0, 24.0], ids=["short core", "long core"])
@pytest.mark.parametrize("period_s", [0.9, 2.4])
def test_resumed_set_is_judged_by_the_traces_of_the_longer_part(
    longer_s: float, period_s: float, lost: slice
) -> None:
    """Whole traces are the reference; lost rows are interpolated across the borders of a part."""
    rng = np.random.default_rng(5)
    parts = [idle_rows(15, rng), set_rows(24, 2.4, rng), idle_rows(5, rng)]
    parts += [set_rows(24, period_s, rng), idle_rows(15, rng)]
    rows = np.concatenate(parts).astype(np.float32)
    filled = np.zeros(len(rows), dtype=np.bool_)
    filled[lost] = True
    signal = WristSignal(0, rows[:, :3], rows[:, 3:], "left", (), filled)
    before, after = (39 - longer_s, 39.0), (44.0, 44 + longer_s - 0.5)
    unlike = traces_within(signal, core_span(before), after[1] - before[0])[:, -3]
    first, end = (round(s * DOWNSAMPLED_HZ) for s in core_span(after))
    same = float(unlike[first:end].mean()) < SETTINGS.similar_below
    assert len(resumed.merge_resumed(signal, [before, after])) == (1 if same else 2)
