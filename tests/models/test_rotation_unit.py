"""Rotation in rad/s that is declared as deg/s is detected by how fast gravity turns beside it."""

import numpy as np
import pytest

from models.arrays import Floats64
from models.signal.corrections import corrected
from models.signal.pieces import Piece, Recording
from models.signal.rotation_unit import MIN_JUDGED_S, is_rad_labelled_deg
from models.signal.units import ninth_decile
from models.signal.wrist import wrist_signals
from schemas.notes import UNIT_IMPLAUSIBLE, UNIT_WAS_DEG_S, UNIT_WAS_RAD_S
from tests.models.streams import swinging

DEG = 180 / np.pi
HZ = 50.0


def times(seconds: float) -> Floats64:
    return np.arange(round(seconds * HZ) + 1) / HZ


def recorded(acc_g: Floats64, gyro: Floats64, unit: str) -> Recording:
    pieces = [
        Piece(0, HZ, name, scale, np.rint(x / scale).astype(np.int16))
        for x, name, scale in ((acc_g, "g", 1e-4), (gyro, unit, float(np.abs(gyro).max()) / 3e4))
    ]
    return Recording((pieces[0],), (pieces[1],), "left")


@pytest.mark.parametrize("sign", [1, -1], ids=["right-handed axes", "left-handed axes"])
def test_rotation_in_radians_declared_as_degrees_is_converted_and_noted(sign: int) -> None:
    acc_g, rad_s = swinging(times(30), reach_rad=1.0, period_s=2.0)
    honest, degrees, lies = (
        wrist_signals(recorded(acc_g, sign * values, unit))[0]
        for values, unit in ((rad_s, "rad/s"), (rad_s * DEG, "deg/s"), (rad_s, "deg/s"))
    )
    assert [signal.notes for signal in (honest, degrees, lies)] == [(), (), (UNIT_WAS_RAD_S,)]
    assert honest.gyro_rad_s is not None
    np.testing.assert_array_equal(lies.gyro_rad_s, honest.gyro_rad_s)
    np.testing.assert_allclose(degrees.gyro_rad_s, honest.gyro_rad_s, atol=1e-5)


@pytest.mark.parametrize("speed_rad_s", [0.02, 0.08, 0.16])
def test_slow_rotation_in_degrees_is_not_changed(speed_rad_s: float) -> None:
    acc_g, rad_s = swinging(times(30), reach_rad=speed_rad_s * 4 / (2 * np.pi), period_s=4.0)
    assert np.abs(rad_s).max() == pytest.approx(speed_rad_s)
    assert not is_rad_labelled_deg(recorded(acc_g, rad_s * DEG, "deg/s"))


@pytest.mark.parametrize("noise_rad_s", [0.0005, 0.005, 0.05])
@pytest.mark.parametrize("noise_g", [0.001, 0.02, 0.2])
def test_still_wrist_never_changes_the_unit_of_its_rotation(
    noise_g: float, noise_rad_s: float
) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shape = (len(times(MIN_JUDGED_S)), 3)
        acc_g = rng.normal([0.6, 0.0, 0.8], noise_g, shape)
        rad_s = rng.normal(0.0, noise_rad_s, shape)
        assert not is_rad_labelled_deg(recorded(acc_g, rad_s * DEG, "deg/s"))


def test_rotation_about_gravity_does_not_tell_its_unit() -> None:
    t_s = times(30)
    _, rad_s = swinging(t_s, reach_rad=1.0, period_s=2.0)
    down = np.tile([0.0, 0.0, 1.0], (len(t_s), 1))
    assert not is_rad_labelled_deg(recorded(down, rad_s, "deg/s"))


@pytest.mark.parametrize(("seconds", "judged"), [(MIN_JUDGED_S, True), (MIN_JUDGED_S - 0.1, False)])
def test_short_recordings_keep_the_declared_unit_of_rotation(seconds: float, judged: bool) -> None:
    acc_g, rad_s = swinging(times(seconds), reach_rad=1.0, period_s=2.0)
    assert is_rad_labelled_deg(recorded(acc_g, rad_s, "deg/s")) == judged


def test_rotation_without_acceleration_keeps_its_unit() -> None:
    acc_g, rad_s = swinging(times(30), reach_rad=1.0, period_s=2.0)
    gyro = recorded(acc_g, rad_s, "deg/s").gyro
    assert not is_rad_labelled_deg(Recording((), gyro, None))
    assert not is_rad_labelled_deg(Recording((), (), None))


@pytest.mark.parametrize(
    ("factor", "reach_rad", "notes"),
    [
        (DEG, 1.0, (UNIT_WAS_DEG_S,)),
        (1000.0, 0.2, (UNIT_IMPLAUSIBLE,)),  # 630 as declared: as deg/s 11 rad/s, but gravity tells
        (1000.0, 0.3, (UNIT_IMPLAUSIBLE,)),  # 940 as declared: too fast as deg/s, too
    ],
    ids=["deg/s", "slow mrad/s", "mrad/s"],
)
def test_rotation_in_thousandths_of_rad_s_is_not_taken_for_degrees(
    factor: float, reach_rad: float, notes: tuple[str, ...]
) -> None:
    acc_g, rad_s = swinging(times(30), reach_rad, period_s=2.0)
    (signal,) = wrist_signals(recorded(acc_g, rad_s * factor, "rad/s"))
    assert signal.notes == notes
    assert (signal.gyro_rad_s is None) == (notes == (UNIT_IMPLAUSIBLE,))


def test_rotation_in_thousandths_of_deg_s_is_noted_and_not_used() -> None:
    acc_g, rad_s = swinging(times(30), reach_rad=0.2, period_s=2.0)
    mdps = recorded(acc_g, rad_s * DEG * 1000, "deg/s")
    fixed, notes = corrected(mdps)
    assert (fixed.acc, fixed.gyro, notes) == (mdps.acc, (), (("gyro", UNIT_IMPLAUSIBLE),))
    assert wrist_signals(mdps)[0].notes == (UNIT_IMPLAUSIBLE,)


@pytest.mark.parametrize(
    ("speed_rad_s", "period_s", "unit"),
    [
        (24.0, 6.0, "rad/s"),  # gravity is seen to turn 57 times as fast as that in deg/s
        (18.0, 6.0, "rad/s"),
        (18.0, 0.4, "deg/s"),  # too fast to see gravity turn
        (34.0, 0.4, "deg/s"),
    ],
)
def test_honest_fast_rotation_is_kept_in_its_unit(
    speed_rad_s: float, period_s: float, unit: str
) -> None:
    """A rope that is skipped, a wrist that is flicked: the ninth decile is over 15 rad/s."""
    t_s = times(30)
    acc_g, slow_rad_s = swinging(t_s, reach_rad=0.3, period_s=period_s)
    twist_rad_s = speed_rad_s * np.sin(2 * np.pi * 4.0 * t_s)
    rad_s = slow_rad_s + acc_g * twist_rad_s[:, None]  # about gravity, which it does not turn
    sent = recorded(acc_g, rad_s * (DEG if unit == "deg/s" else 1.0), unit)
    (signal,) = wrist_signals(sent)
    assert signal.notes == ()
    assert signal.gyro_rad_s is not None
    np.testing.assert_allclose(signal.gyro_rad_s, rad_s[: len(signal.gyro_rad_s)], atol=0.01)


@pytest.mark.parametrize(
    ("decile", "notes"),
    [
        (14.9, ()),
        (15.1, (UNIT_IMPLAUSIBLE,)),
        (19.9, (UNIT_IMPLAUSIBLE,)),
        (20.1, (UNIT_WAS_DEG_S,)),
        (858.0, (UNIT_WAS_DEG_S,)),
        (861.0, (UNIT_IMPLAUSIBLE,)),
    ],
)
def test_fast_rad_s_is_converted_or_left_out_where_gravity_does_not_tell(
    decile: float, notes: tuple[str, ...]
) -> None:
    t_s = times(30)
    values = np.sin(2 * np.pi * 4.0 * t_s)[:, None] * [0.0, 0.0, 1.0]
    values *= decile / ninth_decile(values.astype(np.float32))
    down = np.tile([0.0, 0.0, 1.0], (len(t_s), 1))
    (signal,) = wrist_signals(recorded(down, values, "rad/s"))
    assert signal.notes == notes
    assert (signal.gyro_rad_s is None) == (notes == (UNIT_IMPLAUSIBLE,))


@pytest.mark.parametrize(
    ("speed_rad_s", "notes"), [(24.0, (UNIT_WAS_DEG_S,)), (60.0, (UNIT_IMPLAUSIBLE,))]
)
def test_fast_rotation_in_degrees_is_converted_where_gravity_agrees(
    speed_rad_s: float, notes: tuple[str, ...]
) -> None:
    """Over 859 as declared: fast as deg/s, too, which gravity alone can tell."""
    t_s = times(30)
    acc_g, slow_rad_s = swinging(t_s, reach_rad=0.3, period_s=6.0)
    twist_rad_s = speed_rad_s * np.sin(2 * np.pi * 4.0 * t_s)
    rad_s = slow_rad_s + acc_g * twist_rad_s[:, None]  # about gravity, which it does not turn
    (signal,) = wrist_signals(recorded(acc_g, rad_s * DEG, "rad/s"))
    assert signal.notes == notes
    if notes == (UNIT_WAS_DEG_S,):
        assert signal.gyro_rad_s is not None
        np.testing.assert_allclose(signal.gyro_rad_s, rad_s[: len(signal.gyro_rad_s)], atol=0.01)
