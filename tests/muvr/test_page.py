"""The page of `muvr evaluate` shows every figure, and its charts show the results."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from models.activity.evaluate import ActivityRecording, RecordingSegments
from models.activity.segments import Segment
from models.exercise.protocols.outcome import ProtocolOutcome
from models.exercise.protocols.predictions import SetPredictions
from models.reps.examples import RepsExample
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal
from muvr.evaluation.chosen_examples import recordings_to_draw, sets_to_draw, spread, worst_error_s
from muvr.evaluation.drawing import VARIABLES, drawn
from muvr.evaluation.page import write_page
from muvr.evaluation.pictures import predictions_of, recording
from muvr.evaluation.results import ProtocolResults
from schemas.report import Figure, Report

NS = 1_000_000_000


def lifts(seconds: float, period_s: float) -> WristSignal:
    """A wrist that tilts back and forth periodically."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tilt = 0.8 * (1 - np.cos(2 * math.pi * t / period_s))
    acc = np.column_stack([np.sin(tilt), np.zeros(len(t)), np.cos(tilt)])
    gyro = np.column_stack([np.zeros(len(t)), np.gradient(tilt) * RATE_HZ, np.zeros(len(t))])
    return WristSignal(0, acc.astype(np.float32), gyro.astype(np.float32), "left")


def found(error_s: float, day: str = "monday") -> RecordingSegments:
    """A set from 10 to 30 s whose start is found `error_s` too late."""
    recording = ActivityRecording(day, (lifts(40, 2.5),), ((10 * NS, 30 * NS),))
    return recording, (Segment(round((10 + error_s) * NS), 30 * NS, 0.9),)


def outcome(windows: int) -> ProtocolOutcome:
    """Two exercises, three of four sets right, with this many windows."""
    none = np.zeros(windows, dtype=np.int64)
    truth, named = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    asked = SetPredictions(
        "ann", none, none, np.full(windows, 0.8), truth, named, np.full(4, 0.75), truth > 1
    )
    return ProtocolOutcome((), ("curl <left>", "press"), (asked,), ("ann: shrink 0.1",))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    figures = (
        Figure("s1_windows", 0.94, floor=0.92, data="SPAR-10", protocol="unseen people"),
        Figure("s1_windows_acc_only", 0.9),
        Figure("s4b_start", 0.7, floor=0.9),
        Figure("s4c_sets", None, floor=0.9),
        Figure("s5_spar", 1.0, floor=0.95),
    )
    results = ProtocolResults(
        outcomes={"s1": outcome(5), "s4c": outcome(0)},
        recordings=[found(0.5), found(3.5, "tuesday")],
        counted=tuple(RepsExample("spar", "ann", (lifts(25, 2.5),), reps) for reps in (10, 13)),
    )
    path = tmp_path_factory.mktemp("page") / "evaluate.html"
    write_page(path, Report("evaluate", "abc", "machine", 60.0, figures), results)
    return path.read_text()


def test_the_page_shows_every_figure_and_every_missed_floor(page: str) -> None:
    for name in ("s1_windows", "s1_windows_acc_only", "s4b_start", "s4c_sets", "s5_spar"):
        assert f"<code>{name}</code>" in page
    assert "2 of 4 floors hold. Missed: <code>s4b_start</code>." in page
    assert "Not measured: <code>s4c_sets</code>." in page
    assert "missed by 0.2" in page
    assert "not measured" in page


def test_the_page_has_no_external_resources_and_escapes_labels(page: str) -> None:
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)", page)
    assert "curl <left>" not in page


def test_the_charts_use_the_colours_of_the_page(page: str) -> None:
    assert page.count("<svg") == 8  # two outcomes with two each, two recordings, two sets
    assert "var(--accent)" in page
    assert not any(placeholder in page for placeholder in VARIABLES)


def test_captions_state_the_errors(page: str) -> None:
    right, wrong = page.index("Right ones"), page.index("Wrong ones")
    assert right < page.index("monday: start +0.5 s, end +0.0 s") < wrong
    assert wrong < page.index("tuesday: start +3.5 s, end +0.0 s")
    assert "counted 10, believed 13" in page


def test_predictions_fall_back_to_sets_without_windows() -> None:
    said, right = predictions_of(outcome(0))
    assert said.tolist() == [0.75] * 4
    assert right.tolist() == [True, True, True, False]
    assert len(predictions_of(outcome(5))[0]) == 5


def test_recordings_to_draw_are_sorted_worst_first_and_exclude_unjudged() -> None:
    whole = (lifts(20, 2.5),)
    unjudged: RecordingSegments = (ActivityRecording("sunday", whole, ((0, 20 * NS),)), ())
    assert worst_error_s(unjudged) is None
    right, wrong = recordings_to_draw([found(2.5), found(4.0), found(0.1), unjudged])
    assert [worst_error_s(one) for one in right] == pytest.approx([0.1])
    assert [worst_error_s(one) for one in wrong] == pytest.approx([4.0, 2.5])


def test_sets_to_draw_are_split_by_counting_error() -> None:
    sets = [RepsExample("spar", "ann", (lifts(25, 2.5),), reps) for reps in (10, 12, 15)]
    right, wrong = sets_to_draw(sets)
    assert [one.reps for one in right] == [10]
    assert [one.reps for one in wrong] == [15, 12]
    assert spread([1, 2, 3], 5) == [1, 2, 3]


def test_the_drawn_stretch_is_the_one_with_the_sets() -> None:
    """A gap of ten minutes; the sets lie before it, and the longer stretch after it."""
    early, late = lifts(60, 2.5), lifts(200, 1.5)
    late = replace(late, t0_ns=700 * NS)
    sets = ((10 * NS, 30 * NS), (40 * NS, 55 * NS))
    truth = ActivityRecording("monday", (early, late), sets)
    before = (truth, tuple(Segment(start, end, 0.9) for start, end in sets))
    alone = (ActivityRecording("monday", (early,), sets), before[1])
    assert drawn(recording(before), "both") == drawn(recording(alone), "both")


def test_sets_of_other_stretches_are_not_drawn() -> None:
    """They begin before the stretch, end behind it, or lie in another one."""
    early = lifts(60, 2.5)
    late = replace(lifts(120, 2.5), t0_ns=700 * NS)
    inside = (720 * NS, 750 * NS)
    other = [(10 * NS, 20 * NS), (650 * NS, 699 * NS)]
    across = [(650 * NS, 705 * NS), (815 * NS, 830 * NS)]
    truth = ActivityRecording("monday", (early, late), (inside, *other, *across))
    found = tuple(Segment(start, end, 0.9) for start, end in truth.sets_ns)
    bars, below = recording((truth, found)).axes
    drawn_s = [
        (path.vertices[:, 0].min(), path.vertices[:, 0].max())
        for path in bars.collections[0].get_paths()
    ]
    assert drawn_s == [(20, 50), (0, 5), (115, 120)]
    assert below.get_xlim() == (0, 120)


def test_a_recording_without_sets_is_drawn_whole() -> None:
    truth = ActivityRecording("monday", (lifts(20, 2.5), lifts(40, 2.5)), ())
    assert recording((truth, ())).axes[1].get_xlim() == (0, 40)
