"""Activity models and devices whose axes lie along other directions."""

from dataclasses import replace

import numpy as np
import pytest

from models.activity.evaluate import ActivityRecording, precision_recall
from models.activity.examples import activity_examples
from models.activity.fit import fit_activity
from models.activity.frames import with_other_frames
from models.exercise.axis_map import AxisMap, right_handed_maps
from models.exercise.statistics import total
from models.signal.wrist import WristSignal
from schemas.inputs import ACC3, ACC6, InputLayout
from tests.models.activity_sessions import examples_of, session


def on_other_axes(recording: ActivityRecording, axis_map: AxisMap) -> ActivityRecording:
    """The same recording by a device whose axes lie along other directions."""
    (signal,) = recording.signals
    assert signal.gyro_rad_s is not None
    acc = signal.acc_g[:, axis_map.axes] * np.array(axis_map.acc, np.float32)
    gyro = signal.gyro_rad_s[:, axis_map.axes] * np.array(axis_map.gyro, np.float32)
    return replace(recording, signals=(WristSignal(signal.t0_ns, acc, gyro, signal.side),))


@pytest.mark.parametrize("layout", [ACC6, ACC3])
def test_mean_over_frames_is_that_of_recordings_in_all_of_them(layout: InputLayout) -> None:
    recording = session(7)
    frames = [on_other_axes(recording, axis_map) for axis_map in right_handed_maps()]
    recorded = [
        total([e.statistics for e in activity_examples(r.signals, r.sets_ns, r.group, layout)])
        for r in frames
    ]
    mean = with_other_frames(recorded[0], 1.0, with_gyro=layout == ACC6)
    scale = np.sqrt(np.diagonal(mean.moments) / mean.total_s)
    of_sums, of_moments = mean.total_s * scale, mean.total_s * np.outer(scale, scale)
    for ours, theirs, unit in (
        (mean.sums, np.mean([r.sums for r in recorded], axis=0), of_sums),
        (mean.moments, np.mean([r.moments for r in recorded], axis=0), of_moments),
    ):
        assert np.abs((ours - theirs) / unit).max() < 1e-5
    assert np.abs((recorded[1].sums - recorded[0].sums) / of_sums).max() > 0.1


def test_share_of_other_frames_is_mixed_in_and_seconds_stay() -> None:
    own = total([e.statistics for e in examples_of([session(7)])])
    mean = with_other_frames(own, 1.0, with_gyro=True)
    mixed = with_other_frames(own, 0.25, with_gyro=True)
    assert mixed.groups == own.groups
    assert mixed.seconds.tolist() == own.seconds.tolist()
    np.testing.assert_allclose(mixed.sums, 0.75 * own.sums + 0.25 * mean.sums)
    np.testing.assert_allclose(mixed.moments, 0.75 * own.moments + 0.25 * mean.moments)


def test_sets_are_found_on_axes_that_nobody_trained_with() -> None:
    model = fit_activity(examples_of([session(k, day=f"day-{k}") for k in range(5)]), ACC6)
    frames = right_handed_maps()
    unseen = [on_other_axes(session(50 + k), frames[k]) for k in range(len(frames))]
    precision, recall = precision_recall([(r, model.segments(r.signals)) for r in unseen], 2.0)
    assert precision > 0.99
    assert recall > 0.99  # .974 with training on the declared axes alone
