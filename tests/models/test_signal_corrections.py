"""Corrections of wrong units, axes and scales."""

from dataclasses import replace

import numpy as np
import pytest

from models.signal.corrections import corrected
from models.signal.pieces import Piece, Recording
from models.signal.timeline import cut
from models.signal.units import STANDARD_GRAVITY
from models.signal.wrist import wrist_signals
from schemas.notes import NO_GRAVITY, UNIT_IMPLAUSIBLE, UNIT_WAS_DEG_S
from tests.models.streams import SCALE, error_g, low_hand, measured, piece, pieces


@pytest.mark.parametrize(("sign", "notes"), [(1, 1), (-1, 2)])
def test_wrong_unit_and_turned_axes_are_corrected_and_noted(sign, notes):
    t_s = np.arange(500) / 50
    honest = piece(t_s, values=low_hand)
    counts = np.rint(honest.counts * SCALE * STANDARD_GRAVITY * sign / 0.002).astype(np.int16)
    lying = replace(honest, counts=counts, scale=0.002)
    (signal,) = wrist_signals(Recording((lying,), (), "left"))
    assert len(signal.notes) == notes
    assert np.abs(signal.acc_g - low_hand(t_s)).max() < 0.002
    part = cut(Recording((lying,), (), "left"), 2 * 10**9, 4 * 10**9)
    assert corrected(part)[1] == ()  # judged once, on the whole
    (short,) = wrist_signals(part)
    assert np.abs(short.acc_g - low_hand(t_s)[100:200]).max() < 0.002


def test_wrong_unit_of_a_second_device_is_detected_from_its_own_samples():
    """A minute of a correct sensor, then twenty seconds in m/s² with all axes turned."""
    honest = piece(np.arange(3000) / 50, values=low_hand)
    at_s = np.arange(1000) / 50
    later = piece(at_s, t0_ns=100 * 10**9, values=low_hand)
    counts = np.rint(-later.counts * SCALE * STANDARD_GRAVITY / 0.002).astype(np.int16)
    turned = replace(later, counts=counts, scale=0.002)
    fixed, notes = corrected(Recording((honest, turned), (), "left"))
    assert notes == (("acc", "unit-was-m/s2"), ("acc", "axes-were-turned"))
    assert fixed.acc[0] is honest
    back = fixed.acc[1].counts * fixed.acc[1].scale / STANDARD_GRAVITY
    np.testing.assert_allclose(back, low_hand(at_s), atol=0.01)


def jumping_jacks(t_s):
    """A wrist that rests for 40 s, moves at 3 g for 20 s, and rests again."""
    thrown = 3.0 * np.sign(np.sin(2 * np.pi * t_s)) * ((t_s >= 40) & (t_s < 60))
    return low_hand(t_s) + thrown[:, None] * np.array([0.0, 0.3, 1.0])


@pytest.mark.parametrize("own_rate", [False, True])
@pytest.mark.parametrize("own_scale", [False, True])
@pytest.mark.parametrize("size", [50, 128, 256, 512, 5000])
@pytest.mark.parametrize("sign", [1, -1])
def test_wrong_unit_is_corrected_in_every_chunk(size, own_scale, own_rate, sign):
    """Chunks of the jacks alone exceed m/s² at rest; each may have its own scale and rate."""
    whole = jumping_jacks(np.arange(5000) / 50) * STANDARD_GRAVITY * sign
    chunks = []
    for first in range(0, 5000, size):
        part = whole[first : first + size]
        scale = float(np.abs(part).max()) / 32000 if own_scale else 0.002
        counts = np.rint(part / scale).astype(np.int16)
        chunks.append(Piece(first * 20_000_000, 50.0, "g", scale, counts))
    if own_rate:
        chunks = measured(chunks)
    fixed, notes = corrected(Recording(tuple(chunks), (), "left"))
    assert {chunk.unit for chunk in fixed.acc} == {"m/s2"}
    assert len({chunk.scale > 0 for chunk in fixed.acc}) == 1
    assert notes[0] == ("acc", "unit-was-m/s2")
    (signal,) = wrist_signals(fixed)
    assert np.abs(signal.acc_g).max() < 6


@pytest.mark.parametrize("wrist", [1, -1], ids=["left", "right"])
@pytest.mark.parametrize("sign", [1, -1], ids=["upright", "inverted"])
def test_sign_of_an_undeclared_wrist_is_judged_alike_on_both(wrist, sign):
    """A right wrist that hangs feels gravity along -x, as an inverted left one does."""
    felt = low_hand(np.arange(500) / 50) * [wrist, 1, 1]
    counts = np.rint(felt * STANDARD_GRAVITY * sign / 0.002).astype(np.int16)
    (signal,) = wrist_signals(Recording((Piece(0, 50.0, "g", 0.002, counts),), (), None))
    assert ("axes-were-turned" in signal.notes) == (sign < 0)
    np.testing.assert_allclose(signal.acc_g, felt, atol=0.002)


def test_correct_unit_is_not_changed():
    t_s = np.arange(300) / 50
    acc = piece(t_s)
    counts = np.rint(acc.counts * SCALE * STANDARD_GRAVITY / 0.002).astype(np.int16)
    (signal,) = wrist_signals(
        Recording((replace(acc, counts=counts, scale=0.002, unit="m/s2"),), (), None)
    )
    assert signal.notes == ()
    assert error_g(signal) < 0.002


@pytest.mark.parametrize("size", [50, 128])
@pytest.mark.parametrize("own_rate", [False, True])
@pytest.mark.parametrize("seconds", [100, 8])
def test_values_in_g_declared_as_ms2_are_corrected_in_long_recordings(seconds, own_rate, size):
    sent = tuple(
        replace(piece, unit="m/s2") for piece in pieces(50.0, 50.0, 50 * seconds, size, low_hand)
    )
    sent = tuple(measured(sent)) if own_rate else sent
    (signal,) = wrist_signals(Recording(sent, (), "left"))
    if seconds == 8:
        assert signal.notes == (NO_GRAVITY,)
        return
    assert signal.notes == ("unit-was-g",)
    assert error_g(signal, low_hand) < 0.001
    part = cut(Recording(sent, (), "left"), 2 * 10**9, 4 * 10**9)
    assert corrected(part)[1] == ()  # judged once, on the whole
    assert {chunk.unit for chunk in part.acc} == {"g"}


def test_linear_acceleration_keeps_its_declared_unit():
    """The median is near 0.1 g, like g declared as m/s², but the spread is large."""

    def linear(t_s):
        size_ms2 = 1.0 + 0.9 * np.sin(2 * np.pi * t_s / 9)
        return low_hand(t_s) * size_ms2[:, None]

    sent = piece(np.arange(5000) / 50, values=linear, unit="m/s2")
    (signal,) = wrist_signals(Recording((sent,), (), "left"))
    assert signal.notes == (NO_GRAVITY,)


def test_cut_slices_without_resampling():
    stream = pieces(50.0, 50.0, 1000, 128)
    middle = cut(Recording(stream, (), None), 3 * 10**9, 7 * 10**9)
    counts = np.concatenate([p.counts for p in middle.acc])
    assert np.array_equal(counts, np.concatenate([p.counts for p in stream])[150:350])
    assert middle.acc[0].t0_ns == 3 * 10**9


@pytest.mark.parametrize(
    ("each", "notes"),
    [
        (12.0, (("gyro", UNIT_WAS_DEG_S),)),
        (11.0, (("gyro", UNIT_IMPLAUSIBLE),)),
        (8.6, ()),
    ],
)
def test_rotation_is_judged_by_its_speed_about_all_axes(each, notes) -> None:
    """All three axes together: 12 · √3 is over 20 rad/s, 11 · √3 over 15, 8.6 · √3 is neither."""
    counts = np.full((500, 3), each * 1000, dtype=np.int16)
    counts[::2] *= -1
    turning = Piece(0, 50.0, "rad/s", 1e-3, counts)
    assert corrected(Recording((piece(np.arange(500) / 50),), (turning,), None))[1] == notes


def test_constant_rotation_is_left_out_and_noted() -> None:
    t_s = np.arange(500) / 50
    turning = piece(t_s, unit="rad/s")
    off = replace(turning, counts=np.tile(turning.counts[:1], (500, 1)))
    woken = replace(off, counts=off.counts[:400]), piece(t_s[400:], t0_ns=8 * 10**9, unit="rad/s")
    for gyro, notes in (((off,), ("rotation-is-constant",)), (woken, ()), ((turning,), ())):
        (signal,) = wrist_signals(Recording((piece(t_s),), gyro, None))
        assert signal.notes == notes
        assert (signal.gyro_rad_s is None) == bool(notes)


def test_rotation_in_degrees_is_converted_whatever_unit_is_declared() -> None:
    t_s = np.arange(500) / 50
    turning = piece(t_s, unit="rad/s", scale=1 / 1024)  # up to 4 rad/s
    lies = replace(turning, scale=turning.scale * 180 / np.pi)
    says = replace(lies, unit="deg/s")
    signals = [
        wrist_signals(Recording((piece(t_s),), (sent,), "left"))[0]
        for sent in (turning, lies, says)
    ]
    assert [signal.notes for signal in signals] == [(), (UNIT_WAS_DEG_S,), ()]
    for signal in signals:
        assert signal.gyro_rad_s is not None
        np.testing.assert_allclose(signal.gyro_rad_s, signals[0].gyro_rad_s, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 10, 49])
def test_values_in_g_declared_as_ms2_are_corrected_in_small_chunks(size) -> None:
    sent = tuple(replace(each, unit="m/s2") for each in pieces(50.0, 50.0, 1000, size, low_hand))
    assert corrected(Recording(sent, (), "left"))[1] == (("acc", "unit-was-g"),)
