"""Exercise models: fitting, prediction, abstention and codec."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codec import pack, unpack
from models.exercise.codec import (
    from_bytes,
    global_from_bytes,
    global_to_bytes,
    golden_vectors,
    statistics_from_bytes,
    statistics_to_bytes,
    to_bytes,
)
from models.exercise.discriminant import learnable_exercises
from models.exercise.evaluate import labelled_windows, score
from models.exercise.examples import ExampleSettings, set_statistics
from models.exercise.features import window_features
from models.exercise.fit import FitSettings, fit_global, fit_user
from models.exercise.statistics import Statistics, statistics_of, total, weighted
from models.exercise.windowing import window_movement
from schemas.errors import BadModelBytes, NotEnoughLabels
from schemas.inputs import ACC3
from tests.models.movements import MOVES, alike, movement

FEW = ExampleSettings(step_s=0.5, copies=1)


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


def test_global_and_own_model_name_unseen_sets_and_round_trip_through_bytes(people):
    """The global model of two people names the sets of a third, and so does the own model."""
    everybody = fit_global(total(people[1:]))
    later = asked(MOVES, 5000)
    assert score(everybody.model, later).window_accuracy == 1.0
    own = fit_user(people[0], everybody)
    assert score(own, later).set_accuracy == 1.0
    again = from_bytes(to_bytes(own))
    assert again.predict([movement("turn", 7)]) == own.predict([movement("turn", 7)])
    answer = own.predict([movement("turn", 7)])
    assert (answer.exercise, answer.abstained, answer.reason) == ("turn", False, None)
    assert len(answer.windows) == 17
    assert answer.windows[1].t0_ns - answer.windows[0].t0_ns == 10**9
    assert 0.5 < answer.probability <= 1


def test_unknown_movement_causes_abstention(people):
    own = fit_user(learned(["swing", "turn", "press"], 0))
    answer = own.predict([movement("shake", 3)])
    assert answer.exercise is None
    assert answer.reason == "unknown-movement"
    assert answer.guess in own.labels
    assert answer.known < 0.5 < own.predict([movement("press", 3)]).known


def test_scores_of_a_window_are_the_same_alone_and_in_a_batch(people):
    model = fit_user(people[0])
    x = window_features(movement("press", 1, 100)).x
    for k in range(len(x)):
        assert model.scores(x[k : k + 1]).tobytes() == model.scores(x)[k : k + 1].tobytes()
        alone = model.strangeness(x[k : k + 1])
        assert alone.tobytes() == model.strangeness(x)[k : k + 1].tobytes()


def test_set_strangeness_equals_the_strangeness_of_the_prediction(people):
    model = fit_user(people[0])
    readings = [window_movement([movement(name, 6)]) for name in ("press", "shake")] + [
        window_movement([])
    ]
    said = [model.predict_movement(reading).strangeness for reading in readings]
    assert list(map(model.set_strangeness, readings)) == said
    assert said[0] < said[1]
    assert said[2] is None


def test_signal_of_unknown_side_is_read_on_both_sides(people):
    model = fit_user(people[0])
    right = replace(movement("turn", 4, side="right"), side=None)
    assert model.predict([right]).windows == model.predict([movement("turn", 4)]).windows


def test_too_short_signal_and_other_layout_give_a_reason(people):
    model = fit_user(people[0])
    assert model.predict([movement("turn", 1, 3.0)]).reason == "too-short"
    assert model.predict([]).reason == "too-short"
    bare = replace(movement("turn", 1), gyro_rad_s=None)
    assert model.predict([bare]).reason == "other-layout"


def test_model_from_acceleration_alone_names_exercises():
    def bare(name, seed):
        return replace(movement(name, seed), gyro_rad_s=None)

    parts = [set_statistics([bare(n, k)], n, seed=k, settings=FEW) for k, n in enumerate(MOVES)]
    model = fit_user(total(parts), model_id=ACC3)
    answers = [model.predict([bare(n, 50 + k)]).guess for k, n in enumerate(MOVES)]
    assert answers == list(MOVES)


def test_subtracted_user_leaves_no_trace_in_the_global_model(people):
    with_user = fit_global(total(people) - people[0])
    without = fit_global(total(people[1:]))
    x = window_features(movement("turn", 9)).x
    assert with_user.model.scores(x) == pytest.approx(without.model.scores(x), abs=0.05)


def test_the_same_set_and_seed_give_the_same_bytes():
    one, two = (learned(MOVES, 3) for _ in range(2))
    assert statistics_to_bytes(one) == statistics_to_bytes(two)
    assert to_bytes(fit_user(one)) == to_bytes(fit_user(two))
    other, another = (
        set_statistics([movement("turn", 1)], "turn", seed=seed, settings=FEW) for seed in (1, 2)
    )
    assert statistics_to_bytes(other) != statistics_to_bytes(another)


def test_model_needs_two_exercises_and_sets_as_long_as_a_window():
    with pytest.raises(NotEnoughLabels, match="there are 1"):
        fit_user(learned(["turn"], 0))
    with pytest.raises(NotEnoughLabels, match="longest stretch is 3.0 s"):
        set_statistics([movement("turn", 0, 3.0)], "turn", seed=0)
    with pytest.raises(NotEnoughLabels):
        total([])


def test_own_model_has_only_labels_of_its_user(people):
    own = fit_user(learned(["swing", "turn"], 0), fit_global(total(people)))
    assert own.labels == ("swing", "turn")


def test_labels_may_be_any_text():
    names = {"swing": "Müller's \u2192 row, 30\u00b0", "turn": "\u9593\u6b47"}
    parts = [
        set_statistics([movement(n, seed)], label, seed=seed, settings=FEW)
        for n, label in names.items()
        for seed in range(4)
    ]
    model = from_bytes(to_bytes(fit_user(total(parts))))
    assert model.predict([movement("turn", 2)]).exercise == names["turn"]


def test_models_and_statistics_round_trip_through_bytes(people):
    everybody = fit_global(total(people))
    again = global_from_bytes(global_to_bytes(everybody))
    assert alike(again.statistics, everybody.statistics)
    assert alike(statistics_from_bytes(statistics_to_bytes(people[0])), people[0])
    golden, found = golden_vectors(everybody.model), golden_vectors(again.model)
    assert all(np.array_equal(golden[name], found[name]) for name in golden)
    assert len(to_bytes(everybody.model)) < 20_000


@given(st.binary(max_size=300))
def test_junk_bytes_are_refused(blob):
    with pytest.raises(BadModelBytes):
        from_bytes(blob)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_model_with_a_flipped_byte_is_refused_or_readable(people, data):
    blob = bytearray(to_bytes(fit_user(people[0])))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    try:
        model = from_bytes(bytes(blob))
    except BadModelBytes:
        return
    assert len(model.labels) == 4


def test_models_of_another_recipe_are_refused(people):
    meta, arrays = unpack(to_bytes(fit_user(people[0])), "muvr-exercise-1")
    with pytest.raises(BadModelBytes, match="another"):
        from_bytes(pack("muvr-exercise-1", {**meta, "features": "another"}, arrays))
    cut_short = pack("muvr-exercise-1", meta, {**arrays, "weights": arrays["weights"][:, 1:]})
    with pytest.raises(BadModelBytes, match="weights is"):
        from_bytes(cut_short)


def test_more_own_data_moves_the_model_towards_the_user(people):
    """The means move from the global ones to the user's as the user's seconds grow."""
    others = fit_global(total(people[1:]))
    x = window_features(movement("press", 77)).x
    alone = fit_user(people[0]).scores(x)
    little, much = (weighted(people[0], factor, people[0], 0.0) for factor in (0.1, 1000.0))
    far, near = (np.abs(fit_user(own, others).scores(x) - alone).mean() for own in (little, much))
    assert near < far


def test_bytes_of_another_features_version_are_refused(people, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("models.exercise.codec.FEATURES_VERSION", "exercise-features-1")
        model, statistics = to_bytes(fit_user(people[0])), statistics_to_bytes(people[0])
    with pytest.raises(BadModelBytes, match="exercise-features-1"):
        from_bytes(model)
    with pytest.raises(BadModelBytes, match="exercise-features-1"):
        statistics_from_bytes(statistics)


def test_reason_of_too_few_exercises_does_not_repeat_the_users_words():
    """It is counted with those of other users, in a record that outlives an erasure."""
    rest = statistics_of(np.ones((40, 3), np.float32), "rehab after surgery", "left", 1.0)
    with pytest.raises(NotEnoughLabels, match="2 exercises of .* and there are 1") as told:
        learnable_exercises(rest, FitSettings())
    assert "rehab" not in str(told.value)
