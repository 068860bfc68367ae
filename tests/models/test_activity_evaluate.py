"""Figures of found sets against known ones."""

import math
from dataclasses import replace

import numpy as np
import pytest

from models.activity.evaluate import (
    ActivityRecording,
    activity_figures,
    border_errors,
    figures_of,
    leave_one_day_out,
    precision_recall,
)
from models.activity.segments import Segment
from models.signal.wrist import WristSignal
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6
from tests.models.activity_sessions import NS, session


def test_precision_recall_and_border_errors_of_a_known_case() -> None:
    """Ten seconds, a set from 2 to 6, found from 3 to 8: three right, two wrong, one missed."""
    signal = WristSignal(0, np.zeros((500, 3), np.float32), None, None)
    recording = ActivityRecording("d", (signal,), ((2 * NS, 6 * NS),))
    found = [(recording, (Segment(3 * NS, 8 * NS, 1.0),))]
    assert precision_recall(found, 0.0) == pytest.approx((3 / 5, 3 / 4))
    starts, ends = border_errors(found)
    assert (starts.tolist(), ends.tolist()) == ([1.0], [2.0])


def test_activity_figures_of_easy_sessions_are_high() -> None:
    sessions = [session(k, day=f"day-{k % 4}", t0_ns=k * 1000 * NS) for k in range(8)]
    figures = activity_figures(sessions)
    assert figures["s4_precision"] > 0.98
    assert figures["s4_recall"] > 0.98
    assert figures["s4b_sets"] == 16
    assert figures["s4b_both_3s_acc_only"] > 0.9


def test_a_day_by_itself_cannot_be_left_out() -> None:
    sessions = [session(k, day="monday", t0_ns=k * 1000 * NS) for k in range(2)]
    with pytest.raises(NotEnoughLabels, match="left out of two or more, and there is 1"):
        leave_one_day_out(sessions, ACC6)


def test_shares_of_borders_are_not_measured_where_no_set_has_idle_around_it() -> None:
    whole = session(0)
    (signal,) = whole.signals
    end_ns = signal.t0_ns + round(signal.duration_s * NS)
    of_sets_alone = replace(whole, sets_ns=((signal.t0_ns, end_ns),))
    gone = replace(whole, signals=())
    figures = figures_of([(of_sets_alone, ()), (gone, ())], "")
    assert figures["s4b_sets"] == 0
    assert all(math.isnan(figures[f"s4b_{name}"]) for name in ("start", "end", "both_3s"))
