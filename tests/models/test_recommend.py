"""Recommendations: matrix factorisation, reasons and metrics."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.history import WEEK_S, SetLog
from models.population.simulate import START_S, simulate
from models.recommend import evaluate, explain
from models.recommend.evaluate import (
    done_matrix,
    evaluate_recommender,
    people_of,
    popularity,
    rank_metrics,
    repeat_last,
    split_entries,
)
from models.recommend.explain import contributions, recommend_user
from models.recommend.features import Counts, counts_of
from models.recommend.fit import fast_rows, fit_recommender
from models.recommend.model import AlsSettings, row_ridge, top_columns
from models.recommend.reference import loss, solve_rows
from schemas.errors import BadInput, NotEnoughLabels

SETTINGS = AlsSettings(factors=6, ridge=0.5, alpha=4.0)


def table(values, last_s=None):
    """Counts from a dense table."""
    values = np.array(values, float)
    rows, columns = np.nonzero(values)
    at_s = np.zeros(len(rows)) if last_s is None else np.array(last_s)[rows, columns]
    return counts_of(rows, columns, values[rows, columns], at_s, *values.shape)


def counts_of_logs(logs, exercises):
    """Users × exercises: how often, and when last."""
    rows = [
        (user, exercises.index(name), at_s)
        for user, log in enumerate(logs)
        for name, at_s in zip(log.exercise.tolist(), log.started_s.tolist(), strict=True)
        if name in exercises
    ]
    users, columns, at_s = np.array(rows).T
    shape = len(logs), len(exercises)
    return counts_of(users.astype(int), columns.astype(int), np.ones(len(rows)), at_s, *shape)


def names(counts):
    return tuple(f"e{n}" for n in range(counts.width))


def checkerboard(size=20):
    """Even users do even exercises, odd users odd ones; one is held out per user."""
    full = (np.add.outer(np.arange(size), np.arange(size)) % 2 == 0).astype(float)
    held = np.array([(user + 2 * (user // 2)) % size for user in range(size)])
    seen = full.copy()
    seen[np.arange(size), held] = 0
    return table(seen), held


def scores_of(model):
    """Every user's score of every exercise, (users, exercises)."""
    return model.users @ model.items.T


def test_held_out_exercise_is_recommended_on_a_checkerboard():
    counts, held = checkerboard()
    model = fit_recommender(counts, names(counts), AlsSettings(factors=2, ridge=0.1, alpha=2.0))
    best = top_columns(scores_of(model), 1, without=done_matrix(counts))[:, 0]
    assert best.tolist() == held.tolist()


def test_recommender_beats_the_baselines_on_simulated_people():
    cutoff = START_S + 8 * WEEK_S  # when plans change
    logs = [SetLog.of(person.sets()) for person in simulate(96, 16, 9)]
    exercises = tuple(sorted({str(name) for log in logs for name in log.before(cutoff).exercise}))
    train = counts_of_logs([log.before(cutoff) for log in logs], exercises)
    test = counts_of_logs([log.since(cutoff) for log in logs], exercises)
    model = fit_recommender(train, exercises, AlsSettings())
    new = evaluate_recommender(model, train, test, new_only=True)
    assert new.wins
    assert new.model.ndcg > new.popularity.ndcg + 0.1


def some_counts(seed, users=30, items=12):
    random = np.random.default_rng(seed)
    return table(random.poisson(0.7, (users, items)))


def test_fast_solver_equals_the_reference_and_is_independent_of_threads():
    counts = some_counts(0)
    fast = fit_recommender(counts, names(counts), SETTINGS)
    slow = fit_recommender(counts, names(counts), SETTINGS, half_sweep=solve_rows)
    assert scores_of(fast) == pytest.approx(scores_of(slow), abs=1e-9)
    two = fit_recommender(counts, names(counts), AlsSettings(factors=6, ridge=0.5, alpha=4.0,
                                                             threads=2))  # fmt: skip
    assert np.array_equal(two.users, fast.users)


def test_every_half_sweep_minimises_the_loss():
    counts = some_counts(1)
    transposed = counts.transposed()
    items = np.random.default_rng(0).normal(size=(counts.width, SETTINGS.factors))
    users = np.zeros((counts.height, SETTINGS.factors))
    before = loss(counts, users, items, SETTINGS)
    for _ in range(3):
        users = solve_rows(counts, items, SETTINGS)
        middle = loss(counts, users, items, SETTINGS)
        nudged = users + np.random.default_rng(1).normal(0, 1e-3, users.shape)
        assert loss(counts, nudged, items, SETTINGS) > middle
        items = solve_rows(transposed, users, SETTINGS)
        after = loss(counts, users, items, SETTINGS)
        assert before > middle > after
        before = after


def test_user_factors_are_recomputed_from_counts():
    counts = some_counts(2)
    model = fit_recommender(counts, names(counts), SETTINGS)
    assert fast_rows(counts, model.items, model.settings) == pytest.approx(model.users)


def test_contributions_sum_to_the_score():
    counts = some_counts(3)
    model = fit_recommender(counts, names(counts), SETTINGS)
    for user in range(counts.height):
        own, parts = contributions(counts, user, model)
        assert parts.sum(axis=1) == pytest.approx(scores_of(model)[user], abs=1e-9)
        assert own.tolist() == np.flatnonzero(done_matrix(counts)[user]).tolist()


def test_reason_is_the_co_occurring_exercise():
    """Users of e0 also do e1, users of e2 also e3. The last user did e0, and e2 once."""
    counts = table([[5, 5, 0, 0]] * 6 + [[0, 0, 5, 5]] * 6 + [[5, 0, 1, 0]])
    model = fit_recommender(counts, names(counts), AlsSettings(factors=2, ridge=0.1, power=1.0))
    first, second = recommend_user(counts, 12, model, n=5, new_only=True)
    assert (first.exercise, second.exercise) == ("e1", "e3")
    assert (first.because[0].exercise, second.because[0].exercise) == ("e0", "e2")
    assert (first.position, second.position) == (1, 2)
    assert recommend_user(table([[0, 0, 0, 0]]), 0, model, new_only=True) == ()


def test_ndcg_and_recall_of_a_known_list():
    """Found at places 1 and 3 of three, out of two wanted: (1 + 1/2) / (1 + 1/log2 3)."""
    wanted = np.array([[True, False, True, False], [False] * 4])
    score = rank_metrics(np.array([[0, 1, 2], [0, 1, 2]]), wanted)
    assert score.ndcg == pytest.approx(1.5 / (1 + 1 / np.log2(3)))
    assert (score.recall, score.users) == (1.0, 1)
    assert rank_metrics(np.array([[3, -1, -1]]), wanted[:1]).ndcg == 0
    assert np.isnan(rank_metrics(np.array([[3]]), wanted[1:]).ndcg)


def test_popularity_and_repeat_last_baselines():
    counts = table([[1, 1, 0], [1, 0, 0], [0, 0, 1]], [[5, 9, 0], [1, 0, 0], [0, 0, 7]])
    people = people_of(counts)
    assert popularity(counts, people)[0].tolist() == [2, 1, 1]
    places = top_columns(repeat_last(counts, people), 3).tolist()
    assert places == [[1, 0, 2], [0, 1, 2], [2, 0, 1]]


def test_top_columns_leave_out_excluded_ones_and_pad_with_minus_one():
    scores = np.array([[0.1, 0.9, 0.5]])
    without = np.array([[False, True, False]])
    assert top_columns(scores, 4, without=without).tolist() == [[2, 0, -1, -1]]


triples = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(1, 9), st.integers(0, 99)),
    max_size=30,
)


@settings(deadline=None)
@given(triples)
def test_counts_are_summed_and_transposed(rows):
    user, item, value, at = (np.array(part) for part in np.array(rows).reshape(-1, 4).T)
    counts = counts_of(user.astype(int), item.astype(int), value.astype(float), at * 1.0, 5, 6)
    dense, last = np.zeros((5, 6)), np.full((5, 6), -np.inf)
    for u, i, v, t in rows:
        dense[u, i] += v
        last[u, i] = max(last[u, i], t)

    def spread(matrix: Counts, values):
        out = np.zeros((matrix.height, matrix.width))
        out[matrix.rows(), matrix.columns] = values
        return out

    assert np.array_equal(spread(counts, counts.values), dense)
    assert np.array_equal(spread(counts.transposed(), counts.transposed().values), dense.T)
    assert np.array_equal(spread(counts, counts.last_s), np.where(dense > 0, last, 0))


def test_split_keeps_every_entry_once():
    counts = some_counts(5)
    rest, part = split_entries(counts, 0.25, 1)
    assert len(part.values) == round(0.25 * len(counts.values))
    assert np.array_equal(done_matrix(rest) | done_matrix(part), done_matrix(counts))
    assert not (done_matrix(rest) & done_matrix(part)).any()


def test_empty_and_invalid_counts_are_refused():
    with pytest.raises(NotEnoughLabels):
        fit_recommender(table([[0, 0]]), ("a", "b"), SETTINGS)
    one = np.zeros(1, int)
    with pytest.raises(BadInput, match="greater than 0"):
        counts_of(one, one, np.zeros(1), np.zeros(1), 1, 1)
    with pytest.raises(BadInput, match="outside of 1 rows"):
        counts_of(one + 1, one, np.ones(1), np.zeros(1), 1, 1)


def early_and_late(newcomers: int) -> tuple[Counts, Counts]:
    """Twelve people with two kinds of taste, and some who began after the cut-off."""
    early = [[5, 5, 0, 0]] * 6 + [[0, 0, 5, 5]] * 6
    late = [[0, 9, 0, 0]] * 6 + [[0, 0, 0, 9]] * 6
    none, one = [[0, 0, 0, 0]] * newcomers, [[1, 0, 0, 0]] * newcomers
    return table(early + none), table(late + one)


def test_people_who_began_after_the_cutoff_do_not_judge_the_model():
    scores = []
    for newcomers in (0, 30):
        train, test = early_and_late(newcomers)
        model = fit_recommender(train, names(train), AlsSettings(factors=2, ridge=0.1))
        scores.append(evaluate_recommender(model, train, test, n=2, new_only=False))
    assert scores[0].model.users == scores[1].model.users == 12
    assert scores[0].popularity == scores[1].popularity
    assert scores[0].model.recall == scores[1].model.recall


def test_score_does_not_depend_on_how_many_users_are_in_memory(monkeypatch):
    train, test = early_and_late(3)
    model = fit_recommender(train, names(train), AlsSettings(factors=2, ridge=0.1))
    once = evaluate_recommender(model, train, test, n=2, new_only=True)
    monkeypatch.setattr(evaluate, "BLOCK", 5)
    again = evaluate_recommender(model, train, test, n=2, new_only=True)
    for one, other in zip(astuple(once), astuple(again), strict=True):
        assert one == pytest.approx(other, nan_ok=True)


def test_explanation_of_one_user_does_not_look_at_all_users(monkeypatch):
    seen: list[int] = []

    def row_ridge_of(counts: Counts, settings: AlsSettings):
        seen.append(counts.height)
        return row_ridge(counts, settings)

    monkeypatch.setattr(explain, "row_ridge", row_ridge_of)
    counts = some_counts(4)
    contributions(counts, 3, fit_recommender(counts, names(counts), SETTINGS))
    assert seen == [1]
