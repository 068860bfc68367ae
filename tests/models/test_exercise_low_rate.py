"""Exercise models at 10 Hz: movements with a tremor that such a device cannot record."""

import re
from dataclasses import replace

import numpy as np
import pytest

from models import codec
from models.exercise.codec import MODEL_TAG, SLOW, from_bytes, to_bytes
from models.exercise.discriminant import FitSettings, within_class_covariance
from models.exercise.examples import set_statistics
from models.exercise.features import window_features
from models.exercise.fit import fit_user
from models.exercise.model import FAMILIAR, ExerciseModel, LowRateDiscriminant
from models.exercise.names import feature_names, low_rate_count
from models.exercise.perceptron import PerceptronSettings, as_global, start
from models.exercise.statistics import Statistics, frame_of, symmetric, total
from models.recognition.naming import Rung
from models.recognition.worn import name_as_worn
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal
from schemas.errors import BadModelBytes
from schemas.notes import LOW_RATE
from tests.models.low_rate import BUZZ_HZ, at_10_hz
from tests.models.movements import MOVES, movement

BUZZ_G = 0.02
NAMES = [name for name in MOVES if name != "shake"]  # its two swings a second are too fast


def buzzing(name: str, seed: int) -> WristSignal:
    """A movement with a tremor of the wrist, which all movements here have."""
    signal = wandering(movement(name, seed), np.random.default_rng(seed))
    at_s = np.arange(len(signal.acc_g)) / RATE_HZ
    tremor = (BUZZ_G * np.sin(2 * np.pi * BUZZ_HZ * at_s)).astype(np.float32)
    return replace(signal, acc_g=signal.acc_g + tremor[:, None])


def wandering(signal: WristSignal, rng: np.random.Generator) -> WristSignal:
    """The same signal with slow random sway, which any device records."""
    at_s = np.arange(len(signal.acc_g)) / RATE_HZ
    hz, phase = rng.uniform(0.1, 1, (8, 6)), rng.uniform(0, 2 * np.pi, (8, 6))
    waves = np.sin(2 * np.pi * hz * at_s[:, None, None] + phase).sum(axis=1).astype(np.float32)
    assert signal.gyro_rad_s is not None
    return replace(
        signal,
        acc_g=signal.acc_g + 0.05 * waves[:, :3],
        gyro_rad_s=signal.gyro_rad_s + 0.2 * waves[:, 3:],
    )


def learned(signals: dict[str, list[list[WristSignal]]]) -> Statistics:
    sets = [(name, recorded) for name, several in signals.items() for recorded in several]
    return total(
        [set_statistics(recorded, name, seed=k) for k, (name, recorded) in enumerate(sets)]
    )


@pytest.fixture(scope="module")
def statistics() -> Statistics:
    """The statistics of recordings at 50 Hz."""
    return learned({name: [[buzzing(name, k)] for k in range(12)] for name in NAMES})


@pytest.fixture(scope="module")
def trained(statistics: Statistics) -> ExerciseModel:
    return fit_user(statistics)


def named(model: ExerciseModel, signals: list[WristSignal]) -> str | None:
    return name_as_worn(signals, (Rung("user", "v", model),)).prediction.exercise


def test_movements_are_named_at_a_low_rate_without_the_tremor(trained: ExerciseModel) -> None:
    read = from_bytes(to_bytes(trained))
    for name in NAMES:
        assert named(read, at_10_hz(buzzing(name, 99))) == name


def test_model_without_low_rate_weights_abstains_at_a_low_rate_and_has_no_stored_form(
    trained: ExerciseModel,
) -> None:
    without = replace(trained, low_rate=None)
    for name in ("swing", "press"):
        assert named(without, at_10_hz(buzzing(name, 99))) is None
    with pytest.raises(ValueError, match="evaluations only"):
        to_bytes(without)
    meta, arrays = codec.unpack(to_bytes(trained), MODEL_TAG)
    kept = {name: array for name, array in arrays.items() if name != SLOW}
    with pytest.raises(BadModelBytes, match=SLOW):
        from_bytes(codec.pack(MODEL_TAG, meta, kept))


def test_low_rate_weights_are_not_used_at_full_rate(trained: ExerciseModel) -> None:
    before = replace(trained, low_rate=None)
    for signal in (buzzing("swing", 99), movement("swing", 99), movement("shake", 99)):
        assert trained.predict([signal]) == before.predict([signal])


def test_model_trained_at_a_low_rate_does_not_use_low_rate_weights() -> None:
    at_low = {name: [at_10_hz(buzzing(name, k)) for k in range(8)] for name in NAMES}
    model = fit_user(learned(at_low))
    asked = at_10_hz(buzzing("turn", 99))
    answer = model.predict(asked)
    assert answer.strangeness is not None
    assert answer.strangeness < FAMILIAR
    assert answer == replace(model, low_rate=None).predict(asked)


def test_low_rate_scores_ignore_features_of_high_frequencies(trained: ExerciseModel) -> None:
    (signal,) = at_10_hz(buzzing("turn", 99))
    x = window_features(signal).x
    other = x + 9
    count = low_rate_count(True)
    other[:, :count] = x[:, :count]
    asked, same = (trained.score_set(windows, [LOW_RATE]) for windows in (x, other))
    assert asked.strangeness.tolist() == same.strangeness.tolist()
    assert asked.set_probabilities.tolist() == same.set_probabilities.tolist()
    assert (trained.score_set(x, []).strangeness > asked.strangeness).all()


@pytest.mark.parametrize("with_gyro", [False, True])
def test_features_that_a_low_rate_shows_come_first(with_gyro: bool) -> None:
    names, count = feature_names(with_gyro), low_rate_count(with_gyro)
    hidden = re.compile(r"\.(step|centroid|crossings|entropy|log_kurtosis|log_cov|band|spread)")
    assert not [name for name in names[:count] if hidden.search(name)]
    assert all(hidden.search(name) or (with_gyro and "lag" in name) for name in names[count:])


def test_low_rate_weights_are_the_discriminant_of_the_low_rate_features(
    trained: ExerciseModel, statistics: Statistics
) -> None:
    """With the shrinkage of all features: how much they vary does not depend on the rate."""
    count, frame = low_rate_count(True), frame_of(statistics)
    _, _, means, upper = within_class_covariance(statistics.framed(frame))
    means = (means - (trained.mean - frame.mean))[:, :count]
    scale = trained.scale.astype(np.float64)
    whole = symmetric(np.triu(upper).astype(np.float64)) / np.outer(scale, scale)
    shrink = FitSettings().shrink
    inside = (1 - shrink) * whole[:count, :count]
    inside += shrink * np.trace(whole) / len(scale) * np.eye(count)
    expected = np.linalg.solve(inside, (means / scale[:count]).T).T
    assert trained.low_rate is not None
    off = np.abs(trained.low_rate.weights * trained.low_rate.step - expected)
    assert off.max() < 0.02 * np.abs(expected).max()


def test_global_model_of_a_perceptron_keeps_the_low_rate_probabilities(
    trained: ExerciseModel,
) -> None:
    """Only its scores at full rate are those of the perceptron."""
    like = replace(trained, calibration=replace(trained.calibration, window=1e-3))
    learner = start(len(like.mean), len(like.labels), PerceptronSettings())
    averaged = from_bytes(to_bytes(as_global(learner, like)))
    x = window_features(at_10_hz(buzzing("turn", 99))[0]).x
    before, after = (model.score_set(x, [LOW_RATE]) for model in (like, averaged))
    assert after.window_probabilities == pytest.approx(before.window_probabilities, abs=1e-5)
    assert after.set_probabilities == pytest.approx(before.set_probabilities, abs=1e-5)
    assert after.hesitation == pytest.approx(before.hesitation, abs=1e-5)
    assert after.strangeness.tolist() == before.strangeness.tolist()


def test_full_rate_model_is_the_same_without_low_rate_weights(
    trained: ExerciseModel, statistics: Statistics
) -> None:
    without = fit_user(statistics, settings=FitSettings(low_rate=False))
    assert without.low_rate is None
    assert to_bytes(replace(without, low_rate=trained.low_rate)) == to_bytes(trained)


@pytest.mark.parametrize("labels", [2, 3])
def test_low_rate_weights_of_a_wrong_shape_are_refused(trained: ExerciseModel, labels: int) -> None:
    size = low_rate_count(True) - (labels == 3)
    torn = LowRateDiscriminant(
        np.ones((labels, size), np.int8), 1.0, np.ones(labels, np.float32), 0.0
    )
    with pytest.raises(BadModelBytes):
        from_bytes(_with_low_rate(trained, torn))


def _with_low_rate(model: ExerciseModel, line: LowRateDiscriminant) -> bytes:
    meta, arrays = codec.unpack(to_bytes(model), MODEL_TAG)
    meta |= {"slow_bias": line.bias.tolist(), "slow_step": line.step, "slow_typical": line.typical}
    return codec.pack(MODEL_TAG, meta, {**arrays, SLOW: line.weights})
