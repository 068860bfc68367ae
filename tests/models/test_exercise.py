"""The exercise family: its whole life first, then what each part promises."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codec import pack, unpack
from models.exercise.channels import channels, smooth
from models.exercise.codec import (
    global_from_bytes,
    global_to_bytes,
    golden_vectors,
    model_from_bytes,
    model_to_bytes,
    statistics_from_bytes,
    statistics_to_bytes,
)
from models.exercise.discriminant import within
from models.exercise.evaluate import labelled_windows, score
from models.exercise.examples import ExampleSettings, rotations, set_statistics
from models.exercise.features import cut_signal, feature_names, features, window_features
from models.exercise.fit import FitSettings, fit_global, fit_user
from models.exercise.layout import ACC3
from models.exercise.reading import read_all
from models.exercise.single import power_spectrum
from models.exercise.statistics import Statistics, statistics_of, summed, total
from models.exercise.turned import features_with_copies
from models.signal.wrist import WristSignal
from schemas.errors import BadModelBytes, NotEnoughLabels

MOVES = {"swing": (0.5, 0), "turn": (0.8, 1), "press": (0.4, 2), "shake": (2.0, 0)}
FEW = ExampleSettings(step_s=0.5, copies=1)


def movement(name: str, seed: int, seconds: float = 20.0, side: str = "left") -> WristSignal:
    """A forearm that swings around one axis; every move has its own tempo, axis and posture."""
    rng = np.random.default_rng(seed)
    tempo_hz, axis = MOVES[name]
    t_s = np.arange(round(seconds * 50)) / 50 + rng.uniform(0, 9)
    angle = 0.6 * np.sin(2 * np.pi * tempo_hz * rng.uniform(0.95, 1.05) * t_s)
    gyro = np.zeros((len(t_s), 3))
    gyro[:, axis] = np.gradient(angle, 1 / 50)
    down = np.stack([np.cos(angle), np.sin(angle), 0.3 + 0 * t_s], axis=1)
    acc = np.roll(down, axis, axis=1) / np.linalg.norm(down, axis=1, keepdims=True)
    acc += rng.normal(0, 0.02, acc.shape)
    gyro += rng.normal(0, 0.05, gyro.shape)
    signal = WristSignal(10**18, acc.astype(np.float32), gyro.astype(np.float32), "left")
    return signal if side == "left" else mirror(signal)


def mirror(signal: WristSignal) -> WristSignal:
    """The same movement on the other wrist."""
    return replace(
        signal,
        acc_g=signal.acc_g * np.float32([-1, 1, 1]),
        gyro_rad_s=signal.gyro_rad_s * np.float32([1, -1, -1]),
        side="right",
    )


def learned(names, seed: int) -> Statistics:
    parts = [
        set_statistics([movement(n, seed + k)], n, seed=seed, settings=FEW)
        for k, n in enumerate(names)
    ]
    return total(parts)


@pytest.fixture(scope="module")
def people() -> list[Statistics]:
    return [learned(MOVES, 100 * p) for p in range(3)]


def asked(names, seed: int):
    return [labelled_windows([movement(n, seed + k)], n) for k, n in enumerate(names)]


def test_the_life_of_a_model(people):
    """Two others make a global model; it names a stranger's moves; the own model knows its own."""
    everybody = fit_global(total(people[1:]))
    later = asked(MOVES, 5000)
    assert score(everybody.model, later).window_accuracy == 1.0
    own = fit_user(people[0], everybody)
    assert score(own, later).set_accuracy == 1.0
    again = model_from_bytes(model_to_bytes(own))
    assert again.answer([movement("turn", 7)]) == own.answer([movement("turn", 7)])
    answer = own.answer([movement("turn", 7)])
    assert (answer.exercise, answer.abstained, answer.reason) == ("turn", False, None)
    assert len(answer.windows) == 17
    assert answer.windows[1].t0_ns - answer.windows[0].t0_ns == 10**9
    assert 0.5 < answer.probability <= 1


def test_a_move_that_was_never_learned_is_abstained_from(people):
    own = fit_user(learned(["swing", "turn", "press"], 0))
    answer = own.answer([movement("shake", 3)])
    assert answer.exercise is None
    assert answer.reason == "unknown-movement"
    assert answer.guess in own.labels
    assert answer.known < 0.5 < own.answer([movement("press", 3)]).known


def test_a_window_is_the_same_alone_and_in_a_batch():
    signal = movement("press", 1, 100)
    batch = window_features(signal).x
    assert len(batch) > 64
    for k in (0, 1, 40, 63, 64, 96):
        part = slice(50 * k, 50 * k + 200)
        alone = replace(signal, acc_g=signal.acc_g[part], gyro_rad_s=signal.gyro_rad_s[part])
        assert window_features(alone).x.tobytes() == batch[k : k + 1].tobytes()


def test_scores_are_the_same_alone_and_in_a_batch(people):
    model = fit_user(people[0])
    x = window_features(movement("press", 1, 100)).x
    for k in range(len(x)):
        assert model.scores(x[k : k + 1]).tobytes() == model.scores(x)[k : k + 1].tobytes()
        alone = model.strangeness(x[k : k + 1])
        assert alone.tobytes() == model.strangeness(x)[k : k + 1].tobytes()


@pytest.mark.parametrize("with_gyro", [True, False])
def test_every_feature_has_a_name_and_a_number(with_gyro):
    signal = movement("swing", 2)
    x = window_features(signal if with_gyro else replace(signal, gyro_rad_s=None)).x
    names = feature_names(with_gyro)
    assert x.shape == (17, len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(x).all()


def test_features_that_can_be_worked_out_by_hand():
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


def test_a_still_wrist_has_finite_features():
    still = np.zeros((2, 3, 200), np.float32)
    assert np.isfinite(features(still, still)).all()


def test_power_is_that_of_the_fourier_transform():
    x = np.random.default_rng(0).standard_normal((3, 4, 200)).astype(np.float32)
    want = np.abs(np.fft.rfft(x.astype(np.float64)))[..., 1:] ** 2
    assert power_spectrum(x) == pytest.approx(want, rel=1e-3, abs=1e-3)


def test_gravity_is_the_moving_average_taken_twice():
    acc = np.random.default_rng(1).standard_normal((2, 3, 200)).astype(np.float32)
    gravity = acc - channels(acc, None).linear
    assert gravity == pytest.approx(smooth(smooth(acc)), abs=1e-5)
    assert smooth(acc)[0, 0, 100] == pytest.approx(acc[0, 0, 88:113].mean(), abs=1e-6)


def test_a_right_wrist_moves_like_a_left_one():
    left = movement("turn", 4)
    assert np.array_equal(window_features(left).x, window_features(mirror(left)).x)


def test_an_unknown_wrist_is_tried_on_both_sides(people):
    model = fit_user(people[0])
    right = replace(movement("turn", 4, side="right"), side=None)
    assert model.answer([right]).windows == model.answer([movement("turn", 4)]).windows


def test_a_signal_that_is_too_short_or_of_another_layout_says_so(people):
    model = fit_user(people[0])
    assert model.answer([movement("turn", 1, 3.0)]).reason == "too-short"
    assert model.answer([]).reason == "too-short"
    bare = replace(movement("turn", 1), gyro_rad_s=None)
    assert model.answer([bare]).reason == "other-layout"


def test_stretches_read_together_say_what_each_says_alone(people):
    model = fit_user(people[0])
    stretches = [
        [movement("turn", 1)],
        [],
        [replace(movement("press", 2), side=None)],
        [movement("turn", 3, 3.0)],
        [movement("press", 4), movement("turn", 5, 6.0)],
        [replace(movement("turn", 6), gyro_rad_s=None)],
    ]
    together = model.answer_readings(read_all(stretches))
    assert together == [model.answer(signals) for signals in stretches]
    silent = [together[place].reason for place in (1, 3, 5)]
    assert silent == ["too-short", "too-short", "other-layout"]


def test_acceleration_alone_carries_a_model():
    def bare(name, seed):
        return replace(movement(name, seed), gyro_rad_s=None)

    parts = [set_statistics([bare(n, k)], n, seed=k, settings=FEW) for k, n in enumerate(MOVES)]
    model = fit_user(total(parts), model_id=ACC3)
    answers = [model.answer([bare(n, 50 + k)]).guess for k, n in enumerate(MOVES)]
    assert answers == list(MOVES)


def close(a: Statistics, b: Statistics) -> bool:
    return (
        a.groups == b.groups
        and np.allclose(a.seconds, b.seconds)
        and np.allclose(a.sums, b.sums, atol=1e-6)
        and np.allclose(a.moments, b.moments, atol=1e-6)
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.integers(0, 2**31))
def test_what_was_added_can_be_taken_out_again(which, seed):
    rng = np.random.default_rng(seed)
    parts = [
        statistics_of(rng.normal(size=(5, 7)).astype(np.float32), f"move {k}", "left", 0.5)
        for k in which
    ]
    everything = total(parts)
    assert close(total(parts[::-1]), everything)
    assert close(everything - parts[0], total(parts[1:]))


def test_statistics_give_means_and_covariance_of_the_windows():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 5)), 3 + rng.normal(size=(60, 5))
    both = statistics_of(a.astype(np.float32), "a", None, 1.0) + statistics_of(
        b.astype(np.float32), "b", None, 1.0
    )
    labels, seconds, means, covariance = within(both)
    assert labels == ["a", "b"]
    assert seconds.tolist() == [40, 60]
    assert means == pytest.approx(np.stack([a.mean(0), b.mean(0)]), abs=1e-5)
    want = (np.cov(a.T, bias=True) * 40 + np.cov(b.T, bias=True) * 60) / 100
    assert covariance == pytest.approx(want, abs=1e-5)


def test_one_product_over_all_sets_is_the_sum_of_each():
    rng = np.random.default_rng(3)
    parts = [
        (name, side, window_s, rng.normal(5, 2, (n, 7)).astype(np.float32))
        for name, side, window_s, n in [
            ("row", "left", 0.5, 4),
            ("curl", "left", 0.25, 3),
            ("row", "left", 1.0, 2),
            ("row", "right", 0.5, 1),
        ]
    ]
    apart = total([statistics_of(x, name, side, window_s) for name, side, window_s, x in parts])
    assert close(summed(parts), apart)


def test_windows_that_are_not_numbers_are_left_out():
    x = np.ones((3, 4), np.float32)
    x[1, 2] = np.nan
    assert statistics_of(x, "a", None, 1.0).total_s == 2


def test_forgetting_a_user_leaves_no_trace(people):
    with_user = fit_global(total(people) - people[0])
    without = fit_global(total(people[1:]))
    x = window_features(movement("turn", 9)).x
    assert with_user.model.scores(x) == pytest.approx(without.model.scores(x), abs=0.05)


def test_the_same_set_and_seed_give_the_same_bytes():
    one, two = (learned(MOVES, 3) for _ in range(2))
    assert statistics_to_bytes(one) == statistics_to_bytes(two)
    assert model_to_bytes(fit_user(one)) == model_to_bytes(fit_user(two))
    other = set_statistics([movement("turn", 1)], "turn", seed=1, settings=FEW)
    assert not close(other, set_statistics([movement("turn", 1)], "turn", seed=2, settings=FEW))


@pytest.mark.parametrize("with_gyro", [True, False])
def test_a_turned_copy_is_what_the_turned_sensors_would_have_said(with_gyro):
    cut = cut_signal(movement("turn", 3))
    gyro = cut.gyro if with_gyro else None
    angles = np.random.default_rng(0).normal(0, 20, (2, len(cut.acc), 3))
    turns = np.stack([rotations(each) for each in angles])
    x, copies = features_with_copies(cut.acc, gyro, turns)
    assert (x == features(cut.acc, gyro)).all()
    for turn, copy in zip(turns, copies, strict=True):
        whole = features(turn @ cut.acc, None if gyro is None else turn @ gyro)
        assert copy == pytest.approx(whole, rel=1e-3, abs=1e-3)
        assert not np.allclose(copy, x, rtol=1e-2, atol=1e-2)


def test_a_copy_is_the_same_whatever_windows_are_beside_it():
    cut = cut_signal(movement("turn", 3, 60.0))
    turns = rotations(np.random.default_rng(0).normal(0, 20, (len(cut.acc), 3)))[None]
    x, copies = features_with_copies(cut.acc, cut.gyro, turns)
    for k in (0, len(x) - 1):
        alone = slice(k, k + 1)
        one, copy = features_with_copies(cut.acc[alone], cut.gyro[alone], turns[:, alone])
        assert (one == x[alone]).all()
        assert (copy == copies[:, alone]).all()


def test_rotations_keep_lengths():
    turns = rotations(np.random.default_rng(0).normal(0, 40, (50, 3))).astype(np.float64)
    assert turns @ turns.swapaxes(1, 2) == pytest.approx(np.tile(np.eye(3), (50, 1, 1)), abs=1e-5)
    assert np.linalg.det(turns) == pytest.approx(np.ones(50), abs=1e-5)


def test_one_exercise_is_not_enough():
    with pytest.raises(NotEnoughLabels, match="'turn'"):
        fit_user(learned(["turn"], 0))
    with pytest.raises(NotEnoughLabels, match="longest stretch is 3.0 s"):
        set_statistics([movement("turn", 0, 3.0)], "turn", seed=0)
    with pytest.raises(NotEnoughLabels):
        total([])


def test_a_user_is_asked_only_for_the_users_own_exercises(people):
    own = fit_user(learned(["swing", "turn"], 0), fit_global(total(people)))
    assert own.labels == ("swing", "turn")


def test_labels_may_be_any_text():
    names = {"swing": "Müller's \u2192 row, 30\u00b0", "turn": "\u9593\u6b47"}
    parts = [
        set_statistics([movement(n, seed)], label, seed=seed, settings=FEW)
        for n, label in names.items()
        for seed in range(4)
    ]
    model = model_from_bytes(model_to_bytes(fit_user(total(parts))))
    assert model.answer([movement("turn", 2)]).exercise == names["turn"]


def test_everything_comes_back_from_its_bytes(people):
    everybody = fit_global(total(people))
    again = global_from_bytes(global_to_bytes(everybody))
    assert close(again.statistics, everybody.statistics)
    assert close(statistics_from_bytes(statistics_to_bytes(people[0])), people[0])
    golden, found = golden_vectors(everybody.model), golden_vectors(again.model)
    assert all(np.array_equal(golden[name], found[name]) for name in golden)
    assert len(model_to_bytes(everybody.model)) < 20_000


@given(st.binary(max_size=300))
def test_junk_is_no_model(blob):
    with pytest.raises(BadModelBytes):
        model_from_bytes(blob)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_damaged_model_is_refused_or_equal(people, data):
    blob = bytearray(model_to_bytes(fit_user(people[0])))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    try:
        model = model_from_bytes(bytes(blob))
    except BadModelBytes:
        return
    assert len(model.labels) == 4


def test_models_of_another_recipe_are_refused(people):
    meta, arrays = unpack(model_to_bytes(fit_user(people[0])), "muvr-exercise-1")
    with pytest.raises(BadModelBytes, match="another"):
        model_from_bytes(pack("muvr-exercise-1", {**meta, "features": "another"}, arrays))
    cut_short = pack("muvr-exercise-1", meta, {**arrays, "weights": arrays["weights"][:, 1:]})
    with pytest.raises(BadModelBytes, match="weights is"):
        model_from_bytes(cut_short)


def test_more_own_data_has_more_say(people):
    """The own mean moves from everybody's to the user's as the user's seconds grow."""
    others = fit_global(total(people[1:]))
    x = window_features(movement("press", 77)).x
    alone = fit_user(people[0]).scores(x)
    far, near = (
        np.abs(fit_user(people[0].scaled(f), others, FitSettings()).scores(x) - alone).mean()
        for f in (0.1, 1000.0)
    )
    assert near < far
