"""Next: predictions of a user's next exercise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.history import WEEK_S, DoneSet, SetLog
from models.next.evaluate import evaluate_next
from models.next.features import START, tokens_of
from models.next.fit import NextSettings, fit_next
from models.next.model import NextModel
from models.population.simulate import START_S, simulate
from schemas.errors import NotEnoughLabels

SETTINGS = NextSettings()


def log_of(*sessions):
    """Each session a string, each letter a set of that exercise."""
    return SetLog.of(
        DoneSet(f"{day:03d}", day * 86_400.0 + place, letter, 5, None, None)
        for day, session in enumerate(sessions)
        for place, letter in enumerate(session)
    )


def test_predictions_beat_every_baseline_on_simulated_people():
    logs = [SetLog.of(person.sets()) for person in simulate(24, 8, 3)]
    cutoff_s = START_S + 6 * WEEK_S
    score = evaluate_next(logs, cutoff_s, SETTINGS)
    one_set_of_context = evaluate_next(logs, cutoff_s, replace(SETTINGS, order=1))
    assert score.users > 15
    assert score.accuracy > max(score.again, score.usual, one_set_of_context.accuracy) + 0.05


def test_context_of_three_sets_predicts_the_change_of_exercise():
    """One token of context cannot distinguish the first a from the third; three can."""
    model = fit_next(log_of(*["aaabbb"] * 8), SETTINGS)
    assert model.predict("")[0][0] == "a"
    assert [model.predict("aaabbb"[:done])[0][0] for done in range(6)] == list("aaabbb")


def test_alternating_sessions_are_predicted_from_the_session_before():
    model = fit_next(log_of(*["aaaa", "bbbb"] * 6), SETTINGS)
    assert model.predict("", before="aaaa")[0][0] == "b"
    assert model.predict("", before="bbbb")[0][0] == "a"


def test_probability_of_a_known_history():
    """Tokens S a b S a c, all of weight 1, after "S a": b and c once each.

    p₋₁ = 1/3; p₀: a 2, b 1, c 1 of 4, three kinds: (n + 3/3) / 7 = 3/7, 2/7, 2/7;
    after a: b 1, c 1, two kinds: (0 + 2·3/7) / 4, (1 + 2·2/7) / 4 twice = 3/14, 11/28, 11/28;
    after S a the same counts once more: (0 + 2·3/14) / 4, (1 + 2·11/28) / 4 twice.
    """
    tokens = np.array([START, 1, 2, START, 1, 3], np.int16)
    model = NextModel(("a", "b", "c"), tokens, np.ones(6), 2, 8.0, 0.0)
    found = model.probabilities(np.array([START, 1], np.int16))
    assert found == pytest.approx([3 / 28, 25 / 56, 25 / 56])


def test_unknown_exercises_fall_back_to_shorter_contexts():
    model = fit_next(log_of(*["ab"] * 12), SETTINGS)
    assert model.predict(["unknown", "a"])[0][0] == "b"
    assert model.predict(["unknown"], n=9) == model.predict(["other"], n=9)


def test_newer_sessions_have_more_weight():
    model = fit_next(log_of(*["ab"] * 20, *["ac"] * 8), NextSettings(half_life_sessions=3))
    assert model.predict("a")[0][0] == "c"
    old = fit_next(log_of(*["ab"] * 20, *["ac"] * 8), NextSettings(half_life_sessions=1e9))
    assert old.predict("a")[0][0] == "b"


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text("abcd", min_size=1, max_size=6), min_size=24, max_size=30),
    st.integers(20, 60),
    st.text("abcde", max_size=5),
)
def test_continued_model_equals_the_model_of_the_whole_history(history, learned, session):
    """Also if it was learned in the middle of a session, and with a new exercise."""
    log = log_of(*history, "ea")
    early = log.where(np.arange(len(log)) < learned)
    going_on = fit_next(early, SETTINGS).continued(log)
    whole = fit_next(log, SETTINGS)
    assert dict(going_on.predict(session, n=9)) == pytest.approx(dict(whole.predict(session, n=9)))
    assert going_on.continued(log) is going_on


def test_continued_model_predicts_a_new_plan_after_two_sessions():
    model = fit_next(log_of(*["aaabbb"] * 8), SETTINGS)
    later = log_of(*["aaabbb"] * 8, *["cccddd"] * 2)
    assert model.predict("ccc")[0][0] != "d"
    assert model.continued(later).predict("ccc")[0][0] == "d"


sessions = st.lists(st.text("abcd", min_size=1, max_size=6), min_size=20, max_size=30)


@settings(deadline=None)
@given(sessions, st.text("abcdx", max_size=5))
def test_probabilities_are_positive_and_sum_to_one(history, session):
    model = fit_next(log_of(*history), SETTINGS)
    answer = model.predict(session, n=99)
    assert len(answer) == len(model.exercises)
    assert sum(chance for _, chance in answer) == pytest.approx(1)
    assert all(chance > 0 for _, chance in answer)
    assert answer == tuple(sorted(answer, key=lambda pair: -pair[1]))


def test_tokens_leave_out_unknown_exercises():
    tokens, session = tokens_of(log_of("ab", "b", "c"), ["b"])
    assert tokens.tolist() == [START, 1, START, 1]
    assert session.tolist() == [0, 0, 1, 1]


def test_too_few_sets_are_refused():
    with pytest.raises(NotEnoughLabels, match="2 sets, 20 are needed"):
        fit_next(log_of("ab"), SETTINGS)
