"""Which model of the ladder names a set, and which data it needs for that."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
import pytest

from models.exercise.examples import set_statistics
from models.exercise.fit import fit_user
from models.exercise.prediction import Prediction
from models.recognition.naming import DEGRADED, Rung, name_stretch, stretch_of
from models.recognition.sets import RecognitionModels, recognise_span
from models.signal.pieces import Piece
from models.signal.timeline import cut, timeline
from models.signal.wrist import wrist_signals
from schemas.inputs import ACC3, ACC6
from schemas.notes import LOW_RATE, NO_GRAVITY
from tests.models.rungs import REST, Says, rung
from tests.pipelines.workouts import workout


def name_exercise(signals, ladder):
    return name_stretch(stretch_of(signals), ladder)


@pytest.mark.parametrize(
    ("own", "everybody", "level", "exercise"),
    [
        (("row",), ("curl",), "user", "row"),
        ((None, "unknown-movement"), ("curl",), "global", "curl"),
        ((None, "unknown-movement"), (None, "unknown-movement"), "user", None),
        ((None, "too-short"), ("curl",), "user", None),
    ],
)
def test_global_model_names_movement_that_is_unknown_to_the_own_model(
    own, everybody, level, exercise
):
    named = name_exercise([REST], [rung("user", *own), rung("global", *everybody)])
    assert named.rung is not None
    assert (named.rung.level, named.prediction.exercise) == (level, exercise)
    assert named.prediction.abstained == (exercise is None)


@dataclass(frozen=True)
class FindsItStrange:
    """A model with a fixed name and strangeness."""

    strangeness: float
    model_id: str = "none"

    def predict_movement(self, reading):
        row = Prediction("row", 0.9, abstained=False, reason=None, strangeness=self.strangeness)
        return replace(row, notes=reading.notes)


@pytest.mark.parametrize(
    ("note", "layout", "familiar"),
    [
        (NO_GRAVITY, ACC6, 0.35),
        (NO_GRAVITY, ACC3, 0.35),
        (LOW_RATE, ACC6, 0.6),
        (LOW_RATE, ACC3, 0.8),
    ],
)
@pytest.mark.parametrize("more", [-0.01, 0.0])
def test_degraded_samples_are_named_only_if_familiar(note, layout, familiar, more):
    reason = DEGRADED[note][0]
    judge = Rung("user", "v", FindsItStrange(familiar + more, layout))
    named = name_exercise([replace(REST, notes=(note,))], [judge])
    answer = (named.prediction.exercise, named.prediction.abstained, named.prediction.reason)
    assert answer == (("row", False, None) if more < 0 else (None, True, reason))
    assert name_exercise([REST], [judge]).prediction.exercise == "row"


def test_model_without_rotation_names_sets_of_a_device_with_rotation():
    sets = [(workout(seed)[0], span) for seed in range(3) for span in workout(seed)[1]]
    bare = [
        ([replace(s, gyro_rad_s=None) for s in wrist_signals(cut(recording, a, b))], name)
        for recording, (a, b, name) in sets
    ]
    parts = [set_statistics(signals, name, seed=n) for n, (signals, name) in enumerate(bare)]
    judge = Rung("user", "v", fit_user(reduce(add, parts), model_id=ACC3))
    recording, spans = workout(9)
    for start, end, name in spans:
        signals = wrist_signals(cut(recording, start, end))
        assert signals[0].gyro_rad_s is not None
        assert name_exercise(signals, [judge]).prediction.exercise == name


def learned_from(signals_of, model_id) -> Rung:
    """The user's model of three workouts, as a rung."""
    sets = [(workout(seed)[0], span) for seed in range(3) for span in workout(seed)[1]]
    parts = [
        set_statistics(signals_of(recording, a, b), name, seed=n)
        for n, (recording, (a, b, name)) in enumerate(sets)
    ]
    return Rung("user", model_id, fit_user(reduce(add, parts), model_id=model_id))


def with_rotation(recording, start, end):
    return wrist_signals(cut(recording, start, end))


def without(recording, start, end):
    return [replace(s, gyro_rad_s=None) for s in with_rotation(recording, start, end)]


def until(piece: Piece, end_ns: int) -> Piece:
    n = round((end_ns - piece.t0_ns) / 1e9 * piece.rate_hz)
    return replace(piece, counts=piece.counts[:n])


@pytest.mark.parametrize("after_s", [-10, 1.5, None])
def test_set_with_incomplete_rotation_is_named_by_the_acceleration_model(after_s):
    """Rotation ends before the set or in its first window, or is all zeros."""
    ladder = [learned_from(with_rotation, ACC6), learned_from(without, ACC3)]
    recording, spans = workout(9)
    for start, end, name in spans:
        (gyro,) = recording.gyro
        sent = until(gyro, start + round((after_s or 0) * 1e9))
        if after_s is None:
            sent = replace(gyro, counts=np.zeros_like(gyro.counts))
        incomplete = recognise_span(
            timeline(replace(recording, gyro=(sent,))), start, end, RecognitionModels(tuple(ladder))
        )
        assert incomplete.named.prediction.exercise == name
        assert incomplete.named.rung is ladder[1]
        whole = recognise_span(timeline(recording), start, end, RecognitionModels(tuple(ladder)))
        assert whole.named.rung is ladder[0]


def test_acceleration_model_names_sets_only_without_rotation():
    recording, [(start, end, _), _] = workout(3)
    models = Says(None, "unknown-movement", ACC6), Says("curl", None, ACC3)
    ladder = [Rung("user", "v", model) for model in models]
    assert name_exercise(with_rotation(recording, start, end), ladder).prediction.exercise is None
    assert name_exercise(without(recording, start, end), ladder).prediction.exercise == "curl"
    everybody = Rung("global", "v", Says("row", None, ACC6))
    named = name_exercise(without(recording, start, end), [ladder[0], everybody])
    assert named.rung is ladder[0]  # with the reason that it cannot read this
