"""Activity models (exercise or idle) on synthetic recordings with known sets."""

from dataclasses import replace

import numpy as np
import pytest

from models.activity.codec import from_bytes, to_bytes
from models.activity.evaluate import (
    border_errors,
)
from models.activity.examples import activity_examples
from models.activity.features import activity_features
from models.activity.fit import fit_activity, fit_discriminant
from models.activity.logit import BorderModel
from models.activity.model import ActivityModel, first_spans
from models.activity.untrained import untrained_segments
from models.exercise.statistics import total
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal
from schemas.errors import BadModelBytes, NotEnoughLabels
from schemas.inputs import ACC3, ACC6
from tests.models.activity_sessions import NS, examples_of, idle_rows, session, set_rows


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


def test_same_model_gives_the_same_bytes(trained: ActivityModel) -> None:
    assert to_bytes(trained) == to_bytes(trained)
