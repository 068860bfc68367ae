"""Activity models (exercise or idle) on synthetic recordings with known sets."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models import codec
from models.activity import resumed
from models.activity.borders import core_span
from models.activity.codec import MODEL_TAG, from_bytes, to_bytes
from models.activity.evaluate import (
    ActivityRecording,
    activity_figures,
    border_errors,
    figures_of,
    leave_one_day_out,
    precision_recall,
)
from models.activity.examples import ActivityExample, activity_examples
from models.activity.features import activity_features
from models.activity.fit import fit_activity, fit_discriminant
from models.activity.logit import BorderModel
from models.activity.model import ActivityModel, first_spans
from models.activity.periodicity import DOWNSAMPLED_HZ, periodicity
from models.activity.segments import Segment
from models.activity.settings import SETTINGS
from models.activity.traces import MAX_COMPARED, core_distance
from models.activity.untrained import run_length, untrained_segments
from models.arrays import Floats64, Indices
from models.exercise.statistics import total
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal
from schemas.errors import BadModelBytes, NotEnoughLabels
from schemas.inputs import ACC3, ACC6
from tests.models.near_traces import traces_within

NS = 1_000_000_000


def idle_rows(seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A drifting posture; (n, 6)."""
    n = round(seconds * RATE_HZ)
    knots = max(3, int(seconds / 3) + 2)
    tilt = np.interp(np.arange(n), np.linspace(0, n, knots), rng.uniform(-0.8, 0.8, knots))
    roll = np.interp(np.arange(n), np.linspace(0, n, knots), rng.uniform(-0.8, 0.8, knots))
    return felt(tilt, roll, rng)


def set_rows(seconds: float, period_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Repetitions of one period; (n, 6)."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    lift = 0.8 * (1 - np.cos(2 * math.pi * t / period_s))
    return felt(lift, 0.3 * np.sin(2 * math.pi * t / period_s), rng)


def felt(
    tilt: NDArray[np.float64], roll: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Sensor values in this posture: turned gravity, its derivative as rotation, and noise."""
    acc = [np.sin(tilt), np.cos(tilt) * np.sin(roll), np.cos(tilt) * np.cos(roll)]
    gyro = [np.gradient(roll) * RATE_HZ, np.gradient(tilt) * RATE_HZ, np.zeros(len(tilt))]
    return np.column_stack(acc + gyro) + rng.normal(0, 0.02, (len(tilt), 6))


def session(seed: int, *, t0_ns: int = 0, day: str = "monday") -> ActivityRecording:
    """Idle, a set, idle, a set, idle; lengths by the seed."""
    rng = np.random.default_rng(seed)
    rows: list[NDArray[np.float64]] = []
    sets: list[tuple[int, int]] = []
    for _ in range(2):
        rows.append(idle_rows(rng.uniform(14, 20), rng))
        start = sum(len(r) for r in rows)
        rows.append(set_rows(rng.uniform(24, 36), rng.uniform(1.8, 3.0), rng))
        end = sum(len(r) for r in rows)
        sets.append((t0_ns + round(start / RATE_HZ * NS), t0_ns + round(end / RATE_HZ * NS)))
    rows.append(idle_rows(15, rng))
    x = np.concatenate(rows).astype(np.float32)
    signal = WristSignal(t0_ns, x[:, :3], x[:, 3:], "left")
    return ActivityRecording(day, (signal,), tuple(sets))


def examples_of(sessions: list[ActivityRecording], layout: str = ACC6) -> list[ActivityExample]:
    model_id = ACC6 if layout == ACC6 else ACC3
    return [
        example
        for s in sessions
        for example in activity_examples(s.signals, s.sets_ns, s.group, model_id)
    ]


@pytest.fixture(scope="module")
def trained() -> ActivityModel:
    """A model of five sessions on five days."""
    return fit_activity(examples_of([session(k, day=f"day-{k}") for k in range(5)]), ACC6)


def test_model_round_trips_through_bytes_and_finds_sets_of_an_unseen_session(
    trained: ActivityModel,
) -> None:
    """Fit, encode, decode, and segment a session that is not in the training data."""
    model = from_bytes(to_bytes(trained))
    unseen = session(99, t0_ns=5 * NS)
    found = model.segments(unseen.signals)
    assert len(found) == 2
    for segment, (start_ns, end_ns) in zip(found, unseen.sets_ns, strict=True):
        assert abs(segment.start_ns - start_ns) < 1.5 * NS
        assert abs(segment.end_ns - end_ns) < 1.5 * NS
        assert segment.probability > 0.9
    assert found == trained.segments(unseen.signals)


def test_border_models_reduce_the_border_errors(trained: ActivityModel) -> None:
    blunt = replace(trained, start=None, end=None)
    unseen = [session(k) for k in range(50, 58)]
    sharp_errors, blunt_errors = (
        np.concatenate(border_errors([(s, m.segments(s.signals)) for s in unseen]))
        for m in (trained, blunt)
    )
    assert np.abs(sharp_errors).mean() < np.abs(blunt_errors).mean()


def test_model_from_acceleration_alone_finds_the_sets() -> None:
    sessions = [session(k, day=f"day-{k}") for k in range(5)]
    model = fit_activity(examples_of(sessions, ACC3), ACC3)
    unseen = session(99)
    assert len(model.segments(unseen.signals)) == 2


def test_model_with_rotation_falls_back_to_rhythm_if_rotation_is_missing(
    trained: ActivityModel,
) -> None:
    (signal,) = session(99).signals
    bare = replace(signal, gyro_rad_s=None)
    assert trained.segments([bare]) == untrained_segments([bare])


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


def test_too_short_signal_has_no_segments(trained: ActivityModel) -> None:
    (signal,) = session(1).signals
    stub = replace(signal, acc_g=signal.acc_g[:150], gyro_rad_s=None)
    assert trained.segments([stub]) == ()
    assert trained.segments([]) == ()
    assert untrained_segments([stub]) == ()


def test_frozen_sensor_has_no_segments_and_no_examples(trained: ActivityModel) -> None:
    rows = np.tile(np.array([-0.85, -0.39, 0.16, 0.1, 0.2, 0.3], np.float32), (2000, 1))
    frozen = WristSignal(0, rows[:, :3], rows[:, 3:], "left")
    assert activity_features(frozen, 0.5).still.all()
    assert trained.segments([frozen]) == ()
    assert activity_examples([frozen], [], "monday", ACC6) == []


def test_gap_of_one_second_does_not_split_a_set(trained: ActivityModel) -> None:
    recording = session(99)
    (signal,) = recording.signals
    (start_ns, end_ns), _ = recording.sets_ns
    cut = round((start_ns + end_ns) / 2 / NS * RATE_HZ)
    gyro = signal.gyro_rad_s
    assert gyro is not None
    before = replace(signal, acc_g=signal.acc_g[:cut], gyro_rad_s=gyro[:cut])
    after = replace(
        signal,
        t0_ns=round((cut + 50) / RATE_HZ * NS),
        acc_g=signal.acc_g[cut + 50 :],
        gyro_rad_s=gyro[cut + 50 :],
    )
    assert len(trained.segments([before, after])) == 2


@pytest.mark.parametrize(
    ("rest_s", "period_s", "sets"),
    [(5.0, 2.4, 1), (20.0, 2.4, 2), (5.0, 0.9, 2)],
    ids=["a breath", "a rest", "another movement"],
)
def test_short_pause_in_the_same_movement_does_not_split_a_set(
    trained: ActivityModel, rest_s: float, period_s: float, sets: int
) -> None:
    rng = np.random.default_rng(5)
    parts = [idle_rows(15, rng), set_rows(24, 2.4, rng), idle_rows(rest_s, rng)]
    parts += [set_rows(24, period_s, rng), idle_rows(15, rng)]
    x = np.concatenate(parts).astype(np.float32)
    scored = trained.scored(WristSignal(0, x[:, :3], x[:, 3:], "left"))
    assert len(first_spans(scored)) == 2
    assert len(trained.spans(scored)) == sets


def test_subtracted_statistics_give_the_model_without_the_session() -> None:
    """The model of a + b - b equals the model of a."""
    first, second = (examples_of([session(k, day=str(k))]) for k in (1, 2))
    alone = total([e.statistics for e in first])
    both = total([e.statistics for e in first + second])
    for example in second:
        both = both - example.statistics
    a, b = (fit_discriminant(s, ACC6) for s in (alone, both))
    np.testing.assert_allclose(a.weights, b.weights, rtol=1e-3, atol=1e-4)
    assert a.bias == pytest.approx(b.bias, rel=1e-3)


def test_model_does_not_depend_on_the_order_of_sessions() -> None:
    examples = examples_of([session(k, day=f"day-{k}") for k in range(3)])
    one, other = (fit_activity(e, ACC6) for e in (examples, examples[::-1]))
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-4, atol=1e-5)


def test_model_is_not_learned_from_idle_time_alone() -> None:
    recording = session(1)
    with pytest.raises(NotEnoughLabels, match="exercise"):
        fit_activity(activity_examples(recording.signals, [], "monday", ACC6), ACC6)


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


@pytest.mark.parametrize("junk", [b"", b"junk", b"PK\x03\x04"])
def test_junk_bytes_are_refused(junk: bytes) -> None:
    with pytest.raises(BadModelBytes):
        from_bytes(junk)


def test_model_with_arrays_of_a_wrong_shape_is_refused(trained: ActivityModel) -> None:
    torn = replace(trained, weights=trained.weights[:-1])
    with pytest.raises(BadModelBytes):
        from_bytes(to_bytes(torn))
    bent = replace(trained, start=BorderModel(np.zeros(2), np.ones(3), np.zeros(3)))
    with pytest.raises(BadModelBytes):
        from_bytes(to_bytes(bent))


def test_earlier_format_is_read_without_its_border_models(trained: ActivityModel) -> None:
    """Earlier border models used other features."""
    meta, arrays = codec.unpack(to_bytes(replace(trained, start=None, end=None)), MODEL_TAG)
    for name in ("start", "end"):
        arrays |= {f"{name}_{part}": np.ones(41) for part in ("mean", "scale", "weights")}
    model = from_bytes(codec.pack(MODEL_TAG, meta, arrays))
    assert (model.start, model.end) == (None, None)
    assert len(model.segments(session(99).signals)) == 2


def test_same_model_gives_the_same_bytes(trained: ActivityModel) -> None:
    assert to_bytes(trained) == to_bytes(trained)


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
