"""The families learned from confirmed sets and follows, on Spark, over simulated people."""

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import numpy as np
import pytest

from models.clusters.evaluate import adjusted_rand
from models.history import SetLog
from models.intensity.codec import from_bytes
from models.intensity.fit import IntensitySettings, fit_intensity
from models.rank.model import index_edges
from models.rank.reference import pagerank_exact
from models.recommend.evaluate import evaluate_recommender
from pipelines.batch.job import train_batch
from pipelines.clusters import CLUSTERS
from pipelines.intensity import INTENSITY
from pipelines.jobs import train
from pipelines.lifecycle import job as lifecycle
from pipelines.load import LOAD
from pipelines.next import NEXT
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import VETOED, Evidence
from pipelines.personal.job import train_personal
from pipelines.rank import RANK
from pipelines.recommend import RECOMMEND
from schemas.errors import BadSets
from store.champions import Champions
from store.jobs import JobRuns
from store.models import ModelKey, Models
from store.results import Results
from tests.pipelines.crowd import IMPOSSIBLE, PEOPLE, crowd, settled, write_impossible
from tests.pipelines.made_families import live


@pytest.fixture(scope="module")
def people():
    return crowd()


@pytest.fixture(scope="module")
def database(spark, spark_config, people):
    with settled(spark_config.cassandra, people) as connection:
        yield connection


@pytest.fixture(scope="module")
def trained(database, spark_config):
    """Train a family over these people once, and return the report of that run."""
    reports = {}

    def report_of(family):
        learn = train_personal if isinstance(family, PersonalFamily) else train_batch
        if family.name not in reports:
            reports[family.name] = learn(family, spark_config)
        return reports[family.name]

    return report_of


def test_clusters_recover_the_simulated_temperaments(database, trained, people):
    report = trained(CLUSTERS)
    assert (report.status, report.counts["rows"]) == ("done", PEOPLE)
    assert report.counts["sets"] == sum(len(person.sets()) for person in people)
    run = live(database, "clusters")
    assert run.run_id == report.run_id
    memberships = [
        asyncio.run(Results(database).cluster(run.run_id, person.user_id)) for person in people
    ]
    assert (
        adjusted_rand(
            [membership.cluster for membership in memberships],
            [person.truth.temperament for person in people],
        )
        > 0.2
    )
    assert {"frequency", "performance", "improvement"} == memberships[0].features.keys()


def test_ranks_equal_the_exact_pagerank(database, trained, people):
    report = trained(RANK)
    assert report.status == "done"
    edges = [(str(p.user_id), str(people[n].user_id)) for p in people for n in p.follows]
    ids, sources, targets = index_edges(*zip(*edges, strict=True), [str(p.user_id) for p in people])
    exact = dict(zip(ids, pagerank_exact(sources, targets, len(ids)), strict=True))
    stored = {
        str(p.user_id): asyncio.run(Results(database).rank(report.run_id, p.user_id))
        for p in people
    }
    for user, row in stored.items():
        assert row.rank == pytest.approx(exact[user], rel=1e-3)
    assert sorted(row.position for row in stored.values())[0] == 1
    assert sum(row.rank for row in stored.values()) == pytest.approx(1, abs=1e-3)


@pytest.fixture
def recommend_ahead_by(monkeypatch):
    """Let the recommender's model be this much ahead of the better baseline."""

    def ahead_by(ndcg):
        def evaluate(*given, **asked):
            score = evaluate_recommender(*given, **asked)
            best = max(score.popularity.ndcg, score.repeat_last.ndcg)
            return replace(score, model=replace(score.model, ndcg=best + ndcg))

        monkeypatch.setattr("pipelines.recommend.evaluate_recommender", evaluate)

    return ahead_by


def test_recommendations_no_better_than_a_baseline_do_not_go_live(
    database, spark_config, recommend_ahead_by
):
    """Better ones do: see `test_users_with_impossible_sets_…`, which trains on such people."""
    recommend_ahead_by(0.0)
    assert train_batch(RECOMMEND, spark_config).status == "refused"
    assert live(database, "recommend") is None


@pytest.mark.parametrize("family", [INTENSITY, LOAD, NEXT], ids=lambda family: family.name)
def test_personal_models_beat_the_last_value_baseline(database, spark_config, trained, family):
    report = trained(family)
    assert report.status == "done"
    assert report.metrics["error"] < report.metrics["last_error"]
    assert report.seconds.keys() == {"engine", "newest set", "users", "promote"}
    outcomes = asyncio.run(JobRuns(database).users(report.run_id))
    assert len(outcomes) == PEOPLE
    assert report.counts["promoted"] >= PEOPLE // 2
    others = [(one.status, one.reason) for one in outcomes if one.status != "promoted"]
    assert others == [("vetoed", VETOED)] * (PEOPLE - report.counts["promoted"])


def loses(logs, cutoff_s):
    """A recipe whose models are right less often than doing the same again."""
    return [PersonalModel(b"a model", Evidence(10, 6.0, 5.0)) for _ in logs]


def test_recipe_that_loses_to_its_baseline_is_refused_for_every_user(
    database, spark_config, people
):
    report = train_personal(PersonalFamily("loser", loses, "made"), spark_config, engine="local")
    assert (report.metrics["error"], report.metrics["last_error"]) == (0.6, 0.5)
    assert (report.status, report.counts["refused"]) == ("refused", PEOPLE)
    keys = [ModelKey.of_user(person.user_id, "sets", "loser") for person in people]
    champions = [asyncio.run(Champions(database).read(key)) for key in keys]
    assert champions == [None] * PEOPLE


def test_user_without_a_good_model_is_told_why_and_the_others_are_served(
    database, spark_config, people
):
    """A recipe that is good for most goes live, but not for whom it is clearly worse."""
    sets = [len(person.sets()) for person in people]
    worse_for, too_few_of = sets[0], next(count for count in sets if count != sets[0])

    def learn(logs, cutoff_s):
        made = {worse_for: PersonalModel(b"bad", Evidence(20, 30.0, 10.0)), too_few_of: "too few"}
        good = PersonalModel(b"good", Evidence(100, 40.0, 50.0))
        return [made.get(len(log), good) for log in logs]

    family = PersonalFamily("mixed", learn, "made")
    report = train_personal(family, spark_config, engine="local")
    assert report.status == "done"
    outcomes = asyncio.run(JobRuns(database).users(report.run_id))
    said = {one.user_id: (one.status, one.reason) for one in outcomes}
    expected = {worse_for: ("vetoed", VETOED), too_few_of: ("not-learned", "too few")}
    assert said == {
        person.user_id: expected.get(count, ("promoted", ""))
        for person, count in zip(people, sets, strict=True)
    }
    keys = [ModelKey.of_user(person.user_id, "sets", "mixed") for person in people]
    champions = [asyncio.run(Champions(database).read(key)) for key in keys]
    assert [one is not None for one in champions] == [count not in expected for count in sets]


@pytest.fixture
def poisoned(database, people):
    """People, each with one impossible set among theirs, written as the newest one."""
    broken = people[7 : 7 + len(IMPOSSIBLE)]
    keys = write_impossible(database, broken)
    yield {person.user_id for person in broken}
    for key in keys:
        database.execute(
            "DELETE FROM sets WHERE user_id = ? AND session_id = ? AND set_id = ?", key
        )


def outcomes_of(database, report):
    return {one.user_id: one for one in asyncio.run(JobRuns(database).users(report.run_id))}


def failed_users(outcomes):
    """Who failed; each must be told of the impossible set."""
    failed = [one for one in outcomes.values() if one.status == "failed"]
    assert all(BadSets.__name__ in one.reason for one in failed)
    return {one.user_id for one in failed}


def starts_no_spark(*_):
    raise AssertionError("Spark was started")


@pytest.mark.parametrize("family", [CLUSTERS, RECOMMEND], ids=lambda family: family.name)
def test_users_with_impossible_sets_are_reported_and_the_others_are_trained(
    database, spark_config, poisoned, family, recommend_ahead_by
):
    """Users are learned from together: one failure must not fail the others, nor spoil sums."""
    recommend_ahead_by(0.001)
    report = train_batch(family, spark_config)
    assert failed_users(outcomes_of(database, report)) == poisoned
    assert report.status == "done"
    learned = report.counts["users" if family is RECOMMEND else "rows"]
    assert learned == PEOPLE - len(IMPOSSIBLE)
    assert live(database, family.name).run_id == report.run_id


@pytest.mark.parametrize("family", [INTENSITY, LOAD, NEXT], ids=lambda family: family.name)
def test_models_learned_in_this_process_have_the_bytes_of_spark(
    database, spark_config, people, poisoned, monkeypatch, family
):
    """Also of the others beside users with impossible sets, who are reported."""
    with monkeypatch.context() as patched:
        patched.setattr(lifecycle, "spark_session", starts_no_spark)
        local = train_personal(family, spark_config, engine="local")
    on_spark = train_personal(family, spark_config)
    assert local.status == on_spark.status == "done"
    # Whom an earlier test trained has the same model as then.
    learned = sum(local.counts.get(outcome, 0) for outcome in ("promoted", "unchanged"))
    assert learned >= (PEOPLE - len(IMPOSSIBLE)) // 2
    assert on_spark.counts["unchanged"] == learned  # the same bytes
    newest_s = max(set_.started_s for person in people for set_ in person.sets())
    newest = datetime.fromisoformat(on_spark.metrics["newest_set"])
    assert newest.timestamp() == pytest.approx(newest_s, abs=0.01)
    assert local.metrics["newest_set"] == on_spark.metrics["newest_set"]
    assert local.metrics["later_sets"] == on_spark.metrics["later_sets"]
    assert local.metrics["error"] == pytest.approx(on_spark.metrics["error"], rel=1e-12)
    found, expected = outcomes_of(database, local), outcomes_of(database, on_spark)
    assert found.keys() == expected.keys() == {person.user_id for person in people}
    assert failed_users(found) == poisoned
    for user, outcome in found.items():
        again = "unchanged" if outcome.status == "promoted" else outcome.status
        assert expected[user] == outcome._replace(status=again)


def test_one_user_is_learned_without_spark(database, spark_config, people, monkeypatch):
    """Nobody else is read; who has no set has no outcome."""
    monkeypatch.setattr(lifecycle, "spark_session", starts_no_spark)
    person, nobody = people[0].user_id, UUID(int=7)
    report = train("intensity", spark_config, users=[nobody, person], engine="local")
    assert report.counts["sets"] == len(people[0].sets())
    outcomes = outcomes_of(database, report)
    assert set(outcomes) == {person}
    key = ModelKey.of_user(person, "sets", "intensity")
    assert asyncio.run(Models(database).get(key, outcomes[person].version)).content


def test_stored_intensity_model_equals_the_one_fitted_without_spark(database, trained, people):
    trained(INTENSITY)
    log = SetLog.of(people[0].sets())
    [alone] = fit_intensity([log], IntensitySettings())
    champion = asyncio.run(
        Champions(database).read(ModelKey.of_user(people[0].user_id, "sets", "intensity"))
    )
    kept = from_bytes(asyncio.run(Models(database).get(champion.key, champion.version)).content)
    np.testing.assert_allclose(kept.weights, alone.weights, rtol=1e-9, atol=1e-12)
