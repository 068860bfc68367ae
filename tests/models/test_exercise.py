"""The exercise family: its whole life first, then what each part promises."""

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
from models.exercise.evaluate import labelled_windows, score
from models.exercise.examples import ExampleSettings, set_statistics
from models.exercise.features import window_features
from models.exercise.fit import FitSettings, fit_global, fit_user
from models.exercise.statistics import Statistics, total
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


def test_the_life_of_a_model(people):
    """Two others make a global model; it names a stranger's moves; the own model knows its own."""
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


def test_a_move_that_was_never_learned_is_abstained_from(people):
    own = fit_user(learned(["swing", "turn", "press"], 0))
    answer = own.predict([movement("shake", 3)])
    assert answer.exercise is None
    assert answer.reason == "unknown-movement"
    assert answer.guess in own.labels
    assert answer.known < 0.5 < own.predict([movement("press", 3)]).known


def test_scores_are_the_same_alone_and_in_a_batch(people):
    model = fit_user(people[0])
    x = window_features(movement("press", 1, 100)).x
    for k in range(len(x)):
        assert model.scores(x[k : k + 1]).tobytes() == model.scores(x)[k : k + 1].tobytes()
        alone = model.strangeness(x[k : k + 1])
        assert alone.tobytes() == model.strangeness(x)[k : k + 1].tobytes()


def test_strangeness_by_itself_is_that_of_an_answer(people):
    model = fit_user(people[0])
    readings = [window_movement([movement(name, 6)]) for name in ("press", "shake")] + [
        window_movement([])
    ]
    said = [model.predict_movement(reading).strangeness for reading in readings]
    assert list(map(model.set_strangeness, readings)) == said
    assert said[0] < said[1]
    assert said[2] is None


def test_an_unknown_wrist_is_tried_on_both_sides(people):
    model = fit_user(people[0])
    right = replace(movement("turn", 4, side="right"), side=None)
    assert model.predict([right]).windows == model.predict([movement("turn", 4)]).windows


def test_a_signal_that_is_too_short_or_of_another_layout_says_so(people):
    model = fit_user(people[0])
    assert model.predict([movement("turn", 1, 3.0)]).reason == "too-short"
    assert model.predict([]).reason == "too-short"
    bare = replace(movement("turn", 1), gyro_rad_s=None)
    assert model.predict([bare]).reason == "other-layout"


def test_acceleration_alone_carries_a_model():
    def bare(name, seed):
        return replace(movement(name, seed), gyro_rad_s=None)

    parts = [set_statistics([bare(n, k)], n, seed=k, settings=FEW) for k, n in enumerate(MOVES)]
    model = fit_user(total(parts), model_id=ACC3)
    answers = [model.predict([bare(n, 50 + k)]).guess for k, n in enumerate(MOVES)]
    assert answers == list(MOVES)


def test_forgetting_a_user_leaves_no_trace(people):
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


def test_a_model_needs_more_than_one_exercise():
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
    model = from_bytes(to_bytes(fit_user(total(parts))))
    assert model.predict([movement("turn", 2)]).exercise == names["turn"]


def test_everything_comes_back_from_its_bytes(people):
    everybody = fit_global(total(people))
    again = global_from_bytes(global_to_bytes(everybody))
    assert alike(again.statistics, everybody.statistics)
    assert alike(statistics_from_bytes(statistics_to_bytes(people[0])), people[0])
    golden, found = golden_vectors(everybody.model), golden_vectors(again.model)
    assert all(np.array_equal(golden[name], found[name]) for name in golden)
    assert len(to_bytes(everybody.model)) < 20_000


@given(st.binary(max_size=300))
def test_junk_is_no_model(blob):
    with pytest.raises(BadModelBytes):
        from_bytes(blob)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_damaged_model_is_refused_or_equal(people, data):
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


def test_a_model_of_features_that_differ_by_rounding_is_still_read(people, monkeypatch):
    model = fit_user(people[0])
    for version, readable in (("exercise-features-1", True), ("exercise-features-0", False)):
        monkeypatch.setattr("models.exercise.codec.FEATURES_VERSION", version)
        blob = to_bytes(model)
        if readable:
            assert from_bytes(blob).labels == model.labels
        else:
            with pytest.raises(BadModelBytes, match="exercise-features-0"):
                from_bytes(blob)
