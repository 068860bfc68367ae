"""Clusters of users: summaries, k-means and names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.metrics import adjusted_rand_score

from models.clusters.evaluate import adjusted_rand, evaluate_clusters, frequency_groups
from models.clusters.features import Measure, Summary, features, reference_capacity, summarise
from models.clusters.fit import ClusterSettings, fit_clusters, kmeans
from models.clusters.model import names_of
from models.history import WEEK_S, DoneSet, SetLog
from models.population.simulate import START_S, simulate
from schemas.errors import BadInput, NotEnoughLabels

SETTINGS = ClusterSettings()
SQUAT = Measure("squat", "kg")


@pytest.fixture(scope="module")
def people():
    return list(simulate(150, 16, 4))


@pytest.fixture(scope="module")
def summaries(people):
    until = START_S + 16 * WEEK_S
    return [summarise(SetLog.of(person.sets()), until) for person in people]


def test_clusters_recover_the_simulated_temperaments(people, summaries):
    truth = [person.truth.temperament for person in people]
    model = fit_clusters(summaries, SETTINGS)
    score = evaluate_clusters(model, summaries, SETTINGS, seeds=3)
    rows = model.features(summaries)
    frequency_alone = adjusted_rand(frequency_groups(rows[:, 0], SETTINGS.k), truth)
    agreement = adjusted_rand(model.assign(rows), truth)
    assert agreement > 0.55
    assert agreement > frequency_alone + 0.2
    assert score.reseed > 0.95
    assert score.same_names


def squats(session, day, weight):
    return DoneSet(session, day * 86_400.0, "squat", 30, weight, None)


def test_summary_of_a_known_history():
    """Two visits a week for four weeks; capacity 2 · weight grows by e^0.1 in four weeks."""
    days = [0, 3, 7, 10, 14, 17, 21, 24]
    rows = [squats(str(day), day, 50 * np.exp(0.1 * day / 28)) for day in days]
    summary = summarise(SetLog.of(rows), 28 * 86_400.0)
    assert summary.sessions_per_week == 2.0
    assert summary.improvement == pytest.approx(0.1)
    middle = (14 + 10) / 2
    assert summary.log_capacity == {("squat", "kg"): pytest.approx(np.log(100) + 0.1 * middle / 28)}
    assert summary.sets == 8


def test_improvement_compares_within_exercises():
    """Changing to a light exercise is no loss of strength."""
    rows = [squats("a", 0, 100.0), squats("b", 7, 100.0)]
    rows += [DoneSet(s, d * 86_400.0, "curl", 30, 10.0, None) for s, d in (("c", 14), ("d", 21))]
    assert summarise(SetLog.of(rows), 28 * 86_400.0).improvement == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("weight", [22.5, 30.0, 47.5])
def test_improvement_of_a_person_who_never_changes_a_weight_is_exactly_zero(weight):
    """The mean of equal logarithms differs from them by a bit: the slope was about 1e-28."""
    rows = [squats(str(day), day, weight) for day in range(2, 59, 3)]
    assert summarise(SetLog.of(rows), 60 * 86_400.0).improvement == 0.0


def mostly_constant(noise):
    """Sixty people: twelve improve, the others' improvement is what rounding leaves."""
    random = np.random.default_rng(2)
    visits, capacities = random.uniform(1, 4, 60), random.normal(4, 0.3, 60)
    improvement = random.normal(0, noise, 60) + np.where(np.arange(60) < 12, 0.05, 0)
    rows = zip(visits.tolist(), capacities.tolist(), improvement.tolist(), strict=True)
    return [Summary(visits, {SQUAT: log}, slope, 1) for visits, log, slope in rows]


@pytest.mark.parametrize("noise", [1e-29, 1e-16])
def test_rounding_of_people_who_do_not_change_is_no_spread(noise):
    settings = ClusterSettings(starts=10)
    noisy, exact = mostly_constant(noise), mostly_constant(0.0)
    found, expected = fit_clusters(noisy, settings), fit_clusters(exact, settings)
    assert found.spread == pytest.approx(expected.spread)
    assert found.assign(found.features(noisy)).tolist() == (
        expected.assign(expected.features(exact)).tolist()
    )


def test_people_who_differ_by_rounding_alone_train_the_same():
    people = [Summary(1.0, {SQUAT: 4.0}, number * 1e-16, 1) for number in range(9)]
    with pytest.raises(NotEnoughLabels, match="1 of 9 people"):
        fit_clusters(people, SETTINGS)


def bench_press(session, day, weight):
    return DoneSet(session, day * 86_400.0, "bench press", 8, weight, None)


@pytest.mark.parametrize("unweighted", [range(4), range(4, 8), range(0, 8, 2)])
def test_summary_ignores_unweighted_sets_of_a_weighted_exercise(unweighted):
    """Eight weeks of 80 kg eight times, of which not every set was confirmed with its weight."""
    rows = [
        bench_press(str(week), 7 * week, None if week in unweighted else 80.0) for week in range(8)
    ]
    summary = summarise(SetLog.of(rows), 8 * WEEK_S)
    assert summary.improvement == pytest.approx(0.0, abs=1e-12)
    assert summary.log_capacity == {("bench press", "kg"): pytest.approx(np.log(80 * (1 + 8 / 30)))}
    assert (summary.sessions_per_week, summary.sets) == (1.0, 8)


def test_summary_counts_repetitions_where_no_set_has_both_weight_and_repetitions():
    rows = [bench_press("a", 0, None), DoneSet("b", 9e5, "bench press", None, 80.0, None)]
    assert summarise(SetLog.of(rows), 2e6).log_capacity == {
        ("bench press", "repetitions"): pytest.approx(np.log(8))
    }


def test_performance_compares_kilograms_with_kilograms_only():
    """Pull-ups of three people with a belt and of two without, who do twelve and three."""
    belts = [{Measure("pull-up", "kg"): np.log(kg)} for kg in (10, 20, 40)]
    alone = [{Measure("pull-up", "repetitions"): np.log(reps)} for reps in (12, 3)]
    people = [Summary(1.0, done, 0.0, 1) for done in (*belts, *alone)]
    performance = features(people, reference_capacity(people))[:, 1]
    assert performance == pytest.approx(np.log([1 / 2, 1, 2, 2, 1 / 2]))


def test_summary_ignores_sets_after_until_and_is_zero_without_sets():
    late = summarise(SetLog.of([squats("a", 30, 100.0)]), 28 * 86_400.0)
    assert (late.sessions_per_week, late.improvement, late.log_capacity) == (0.0, 0.0, {})
    assert summarise(SetLog.of([]), 0.0).sets == 0


def test_performance_is_relative_to_the_median_of_all():
    people = [Summary(1.0, {SQUAT: np.log(kg)}, 0.0, 1) for kg in (50, 100, 200)]
    rows = features(people, reference_capacity(people))
    assert rows[:, 1] == pytest.approx([-np.log(2), 0, np.log(2)])
    assert features([Summary(1.0, {Measure("new", "kg"): 3.0}, 0.0, 1)], {SQUAT: 1.0})[0, 1] == 0.0


def test_kmeans_finds_corners_of_a_grid():
    corners = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], float)
    random = np.random.default_rng(0)
    points = np.repeat(corners, 25, axis=0) + random.normal(0, 0.1, (100, 2))
    solution = kmeans(points, ClusterSettings(k=4))
    order = np.lexsort(solution.centres.round().T)
    expected = np.array([points[25 * n : 25 * n + 25].mean(axis=0) for n in range(4)])
    assert solution.centres[order] == pytest.approx(expected[np.lexsort(corners.T)])


def test_kmeans_inertia_is_not_worse_than_scikit_learn():
    points = np.random.default_rng(1).normal(size=(200, 3))
    ours = kmeans(points, ClusterSettings(starts=20)).inertia
    peer = SklearnKMeans(5, n_init=20, random_state=0).fit(points).inertia_
    assert ours <= peer * 1.01


def test_cluster_names_do_not_depend_on_the_order_of_the_centres():
    centres = np.random.default_rng(3).normal(size=(5, 3))
    names = names_of(centres)
    assert len(set(names)) == 5
    for order in ([4, 3, 2, 1, 0], [1, 0, 3, 2, 4]):
        assert names_of(centres[order]) == tuple(names[number] for number in order)


def test_outlier_does_not_change_the_feature_scale(summaries):
    model = fit_clusters(summaries, SETTINGS)
    absurd = Summary(500.0, {}, 0.0, 1)
    other = fit_clusters([*summaries, absurd], SETTINGS)
    rows = model.features(summaries)
    assert adjusted_rand(model.assign(rows), other.assign(rows)) > 0.8


def test_too_few_people_and_too_many_clusters_are_refused():
    with pytest.raises(NotEnoughLabels, match="2 of 2 people train differently; 5 who"):
        fit_clusters([Summary(1.0, {}, 0.0, 1), Summary(2.0, {}, 0.0, 1)], SETTINGS)
    with pytest.raises(BadInput, match="28"):
        fit_clusters([], ClusterSettings(k=28))


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


@settings(deadline=None)
@given(labels)
def test_adjusted_rand_equals_scikit_learn(pairs):
    left, right = zip(*pairs, strict=True)
    assert adjusted_rand(left, right) == pytest.approx(adjusted_rand_score(left, right))
