"""Features of a window, and of a window with remapped axes."""

from dataclasses import replace

import numpy as np
import pytest

from models.exercise.axis_map import MIRROR, AxisMap, remap_features, right_handed_maps
from models.exercise.examples import rotations
from models.exercise.features import cut_signal, window_features
from models.exercise.kernel import features
from models.exercise.names import feature_names
from tests.models.movements import mirror, movement


def test_features_of_a_window_are_the_same_alone_and_in_a_batch():
    signal = movement("press", 1, 100)
    batch = window_features(signal).x
    assert len(batch) > 64
    for k in (0, 1, 40, 63, 64, 96):
        part = slice(50 * k, 50 * k + 200)
        alone = replace(signal, acc_g=signal.acc_g[part], gyro_rad_s=signal.gyro_rad_s[part])
        assert window_features(alone).x.tobytes() == batch[k : k + 1].tobytes()


@pytest.mark.parametrize("with_gyro", [True, False])
def test_every_feature_has_a_unique_name_and_a_finite_value(with_gyro):
    signal = movement("swing", 2)
    x = window_features(signal if with_gyro else replace(signal, gyro_rad_s=None)).x
    names = feature_names(with_gyro)
    assert x.shape == (17, len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(x).all()


def test_features_of_a_sine_have_the_expected_values():
    """A pure 1 Hz sine of amplitude 1 on ωx, gravity along +z."""
    t_s = np.arange(200) / 50
    acc = np.tile(np.float32([0, 0, 1]), (200, 1))
    gyro = np.zeros((200, 3), np.float32)
    gyro[:, 0] = np.sin(2 * np.pi * t_s)
    x = features(acc.T[None].copy(), gyro.T[None].copy())[0]
    found = dict(zip(feature_names(True), x.tolist(), strict=True))
    assert found["gyro_x.mean"] == pytest.approx(0, abs=1e-6)
    assert found["gyro_x.sd"] == pytest.approx(np.sqrt(0.5), abs=1e-4)
    assert found["gyro_x.centroid"] == pytest.approx(1, abs=1e-4)
    assert found["gyro_x.band1"] == pytest.approx(1, abs=1e-4)  # 0.625 to 1.125 Hz
    assert found["gyro_x.echo_1.0s"] == pytest.approx(1, abs=0.01)
    assert found["gyro_x.echo_0.5s"] == pytest.approx(-1, abs=0.01)
    assert found["gyro_x.log_kurtosis"] == pytest.approx(np.log(1.5 + 0.1), abs=1e-3)
    assert found["gyro.axis_xx"] == pytest.approx(1, abs=1e-4)
    assert found["down_z.mean"] == pytest.approx(1, abs=1e-5)
    assert found["acc_norm.q50"] == pytest.approx(1, abs=1e-6)


def test_features_of_a_still_wrist_are_finite():
    still = np.zeros((2, 3, 200), np.float32)
    assert np.isfinite(features(still, still)).all()


def test_features_of_a_right_wrist_equal_those_of_the_mirrored_left_one():
    left = movement("turn", 4)
    assert np.array_equal(window_features(left).x, window_features(mirror(left)).x)


WORN = (MIRROR, AxisMap((-1, -1, 1), (-1, -1, 1)), AxisMap((-1, -1, -1), (1, 1, 1)))


@pytest.mark.parametrize("with_gyro", [True, False])
@pytest.mark.parametrize("axis_map", WORN)
def test_features_with_remapped_signs_equal_features_of_remapped_samples(axis_map, with_gyro):
    cut = cut_signal(movement("turn", 3))
    gyro = cut.gyro if with_gyro else None
    x = features(cut.acc, gyro)
    acc_signs, gyro_signs = (
        np.array(one, np.float32)[:, None] for one in (axis_map.acc, axis_map.gyro)
    )
    want = features(cut.acc * acc_signs, None if gyro is None else gyro * gyro_signs)
    assert remap_features(x, axis_map) == pytest.approx(want, rel=1e-5, abs=1e-6)
    assert remap_features(remap_features(x, axis_map), axis_map) == pytest.approx(x)
    assert not np.allclose(x, want, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("with_gyro", [True, False])
def test_features_with_remapped_axes_equal_features_of_remapped_samples(with_gyro):
    cut = cut_signal(movement("turn", 3))
    gyro = cut.gyro if with_gyro else None
    x = features(cut.acc, gyro)
    for frame in right_handed_maps():
        turn = np.eye(3, dtype=np.float32)[list(frame.axes)] * np.array(frame.acc)[:, None]
        assert np.linalg.det(turn) == pytest.approx(1)
        turn = turn.astype(np.float32)
        want = features(turn @ cut.acc, None if gyro is None else turn @ gyro)
        assert remap_features(x, frame) == pytest.approx(want, rel=1e-4, abs=1e-5)


def test_mirrored_axis_map_commutes_with_mirroring():
    x = window_features(movement("turn", 3)).x
    for frame in right_handed_maps():
        sent_mirrored = remap_features(remap_features(x, frame), MIRROR)
        assert remap_features(remap_features(x, MIRROR), frame.mirrored()) == pytest.approx(
            sent_mirrored
        )


def test_axis_map_with_inconsistent_signs_is_refused():
    with pytest.raises(ValueError, match="differ by more than one sign"):
        AxisMap((-1, 1, 1), (1, 1, 1))


def test_rotations_are_orthogonal_matrices():
    turns = rotations(np.random.default_rng(0).normal(0, 40, (50, 3))).astype(np.float64)
    assert turns @ turns.swapaxes(1, 2) == pytest.approx(np.tile(np.eye(3), (50, 1, 1)), abs=1e-5)
    assert np.linalg.det(turns) == pytest.approx(np.ones(50), abs=1e-5)
