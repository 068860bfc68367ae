"""The model families learned from the journal, on Spark, over simulated people."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np
import pytest

from ingest.registration import register
from models.clusters.evaluate import adjusted_rand
from models.history import SetLog
from models.intensity.codec import from_bytes
from models.intensity.fit import IntensitySettings, fit_intensity
from models.population.simulate import simulate
from models.rank.model import index_edges
from models.rank.reference import pagerank_exact
from pipelines.batch import BatchResult, train_batch
from pipelines.clusters import CLUSTERS
from pipelines.intensity import INTENSITY
from pipelines.lifecycle.scope import LITTLE_EVIDENCE
from pipelines.load import LOAD
from pipelines.next import NEXT
from pipelines.personal.history import newest_set_at
from pipelines.personal.job import PersonalFamily, PersonalModel, train_personal
from pipelines.rank import RANK
from pipelines.recommend import RECOMMEND
from schemas.times import us_of
from store.champions import Champions
from store.jobs import JobRuns
from store.journal import Journal
from store.models import ModelKey, Models
from store.results import Results
from store.users import User, Users
from tests.pipelines.crowd import settle
from tests.pipelines.made_families import USER, fake, live, wins, withdraw
from tests.spark_session import emptied

PEOPLE, WEEKS = 60, 12


@pytest.fixture(scope="module")
def people():
    return list(simulate(PEOPLE, WEEKS, 3))


@pytest.fixture(scope="module")
def database(spark, spark_config, people):
    with emptied(spark_config.cassandra) as connection:
        settle(connection, people)
        yield connection


@pytest.fixture(scope="module")
def trained(database, spark_config):
    """Train a family over these people once, and return the report of that run."""
    reports = {}

    def report_of(family):
        train = train_personal if isinstance(family, PersonalFamily) else train_batch
        if family.name not in reports:
            reports[family.name] = train(family, spark_config)
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


def test_recommendations_go_live_only_if_they_beat_the_baselines(database, spark_config, people):
    report = train_batch(RECOMMEND, spark_config)
    scores = {name: report.metrics[name]["ndcg"] for name in ("model", "popularity", "repeat_last")}
    wins = scores["model"] > max(scores["popularity"], scores["repeat_last"])
    assert (report.status == "done") == wins
    assert (live(database, "recommend") is not None) == wins


@pytest.mark.parametrize("family", [INTENSITY, LOAD, NEXT], ids=lambda family: family.name)
def test_personal_models_beat_the_last_value_baseline(database, spark_config, trained, family):
    report = trained(family)
    assert report.status == "done"
    assert report.metrics["error"] < report.metrics["last_error"]
    assert report.seconds.keys() == {"engine", "newest set", "users", "promote"}
    outcomes = asyncio.run(JobRuns(database).users(report.run_id))
    assert len(outcomes) == PEOPLE
    assert report.counts["promoted"] >= PEOPLE // 2
    assert all(
        outcome.reason for outcome in outcomes if outcome.status in {"not-learned", "vetoed"}
    )
    again = train_personal(family, spark_config)
    assert again.counts["unchanged"] == report.counts["promoted"]  # the same bytes


def loses(logs, cutoff_s):
    """A recipe whose models are right less often than doing the same again."""
    return [PersonalModel(b"a model", later_sets=10, error=6.0, baseline_error=5.0) for _ in logs]


def test_recipe_that_loses_to_its_baseline_is_refused_for_every_user(
    database, spark_config, people
):
    report = train_personal(PersonalFamily("loser", loses), spark_config)
    assert (report.metrics["error"], report.metrics["last_error"]) == (0.6, 0.5)
    assert (report.status, report.counts["refused"]) == ("refused", PEOPLE)
    keys = [ModelKey.of_user(person.user_id, "sets", "loser") for person in people]
    champions = [asyncio.run(Champions(database).read(key)) for key in keys]
    assert champions == [None] * PEOPLE


def loses_by_chance(logs, cutoff_s):
    """A recipe that may be better for most people, but not on these later sets."""
    return [PersonalModel(b"a model", 100, error=60.0, baseline_error=50.0) for _ in logs]


def test_user_who_is_refused_for_little_evidence_again_and_again_is_counted_once(
    database, spark_config, people
):
    """The same hundred sets are no new evidence: neither against this user nor against another."""
    family = PersonalFamily("unlucky", loses_by_chance)
    users = [[people[0].user_id]] * 3 + [[people[1].user_id]]
    *nights, newcomers = (train_personal(family, spark_config, users=some) for some in users)
    assert [(night.status, night.reasons) for night in nights] == [
        ("refused", {LITTLE_EVIDENCE: 1})
    ] * 3
    assert not any("judged" in night.metrics for night in nights)
    assert newcomers.metrics["judged"]["later_sets"] == 200
    assert newcomers.reasons == {LITTLE_EVIDENCE: 1}


def loses_by_a_hair(logs, cutoff_s):
    """Better than doing the same again on no user of a small run, and clearly worse for none."""
    return [PersonalModel(b"a new model", 5, error=2.01, baseline_error=2.0) for _ in logs]


def unevaluated(logs, cutoff_s):
    """Models of newcomers: no set is later than the cut-off."""
    return [PersonalModel(b"a model of newcomers") for _ in logs]


@pytest.mark.parametrize("learn", [loses_by_a_hair, unevaluated])
def test_recipe_on_few_users_is_judged_with_the_runs_before(database, spark_config, people, learn):
    """Ten later sets of each of the others before outweigh five of one; of all, if it has none."""
    name = f"steady-{learn.__name__}"
    assert train_personal(PersonalFamily(name, wins), spark_config).status == "done"
    person = people[5]
    confirmed = person.sets()[0]
    database.execute(
        "UPDATE sets SET reps = 3, revision = ? "
        "WHERE user_id = ? AND session_id = ? AND set_id = ?",
        (len(name), person.user_id, UUID(confirmed.session), confirmed.set_id),
    )
    asyncio.run(Journal(database).announce(person.user_id, "sets", us_of(datetime.now(UTC))))
    report = train_personal(PersonalFamily(name, learn), spark_config, users="changed")
    assert (report.status, report.counts["promoted"]) == ("done", 1)
    own = report.metrics.get("later_sets", 0)
    assert report.metrics["judged"]["later_sets"] == 10 * (PEOPLE - bool(own)) + own


def test_users_refused_without_evidence_are_tried_again(database, spark_config):
    first = train_personal(PersonalFamily("young", unevaluated), spark_config)
    assert (first.status, first.counts["refused"]) == ("refused", PEOPLE)
    again = train_personal(PersonalFamily("young", wins), spark_config, users="changed")
    assert (again.status, again.counts["promoted"]) == ("done", PEOPLE)


@pytest.fixture
def poisoned(database, people):
    """A person with half a row among the sets: no time, no exercise."""
    person = people[7].user_id
    key = (person, uuid4(), uuid4())
    database.execute(
        "INSERT INTO sets (user_id, session_id, set_id, revision) VALUES (?, ?, ?, 1)", key
    )
    yield person
    database.execute("DELETE FROM sets WHERE user_id = ? AND session_id = ? AND set_id = ?", key)


def test_user_with_broken_rows_is_reported_and_the_others_are_trained(
    database, spark_config, people, poisoned
):
    """Users are trained in batches: one failure must not fail the others."""
    for report in (train_personal(LOAD, spark_config), train_batch(CLUSTERS, spark_config)):
        assert (report.status, report.counts["failed"]) == ("done", 1)
        outcomes = asyncio.run(JobRuns(database).users(report.run_id))
        assert [outcome.user_id for outcome in outcomes if outcome.status == "failed"] == [poisoned]
        others = report.counts.get("rows") or len(outcomes) - 1
        assert others == PEOPLE - 1


def test_stored_intensity_model_equals_the_one_fitted_without_spark(database, trained, people):
    trained(INTENSITY)
    log = SetLog.of(people[0].sets())
    [alone] = fit_intensity([log], IntensitySettings())
    champion = asyncio.run(
        Champions(database).read(ModelKey.of_user(people[0].user_id, "sets", "intensity"))
    )
    kept = from_bytes(asyncio.run(Models(database).get(champion.key, champion.version)).content)
    np.testing.assert_allclose(kept.weights, alone.weights, rtol=1e-9, atol=1e-12)


def test_unchanged_data_is_skipped(database, spark_config):
    train_batch(RANK, spark_config)
    before = live(database, "rank")
    assert train_batch(RANK, spark_config, only_changed=True).status == "nothing-to-do"
    assert live(database, "rank") == before
    train_personal(NEXT, spark_config)
    assert train_personal(NEXT, spark_config, users="changed").status == "nothing-to-do"


def test_new_user_is_ranked_by_the_next_run(database, spark_config):
    """A user without any follow has a rank, too."""
    first = train_batch(RANK, spark_config)
    newcomer = User(uuid4(), f"new-{uuid4().hex[:8]}", "", frozenset(), datetime.now(UTC))
    asyncio.run(register(Journal(database), Users(database), newcomer))
    second = train_batch(RANK, spark_config, only_changed=True)
    assert (second.status, second.counts["rows"]) == ("done", first.counts["rows"] + 1)
    assert asyncio.run(Results(database).rank(second.run_id, newcomer.user_id)).rank > 0
    database.execute("DELETE FROM usernames WHERE username = ?", (newcomer.username,))
    assert train_batch(RANK, spark_config).counts["rows"] == first.counts["rows"]


def test_changes_that_the_last_run_had_read_are_skipped(database, spark_config, people):
    """Changes of the minutes before a run are read again by the next one, with the same rows."""
    first = train_batch(CLUSTERS, spark_config)
    train_personal(LOAD, spark_config)
    journal = Journal(database)
    asyncio.run(journal.announce(people[0].user_id, "sets", us_of(datetime.now(UTC))))
    assert train_batch(CLUSTERS, spark_config, only_changed=True).status == "nothing-to-do"
    assert live(database, "clusters").run_id == first.run_id
    for _ in range(2):
        assert people[0].user_id in unchanged_users(database, spark_config)
    served = next(person for person in people[1:] if load_of(database, person))
    for user in (served.user_id, uuid4()):  # with and without a model
        asyncio.run(journal.announce(user, "sets", us_of(datetime.now(UTC))))
    assert served.user_id in unchanged_users(database, spark_config)


def unchanged_users(database, spark_config):
    """The users whom a run of changed ones found unchanged, which must be all that it read."""
    report = train_personal(LOAD, spark_config, users="changed")
    assert (report.status, report.seconds) == ("nothing-to-do", {})
    assert set(report.counts) == {"unchanged"}
    return {outcome.user_id for outcome in asyncio.run(JobRuns(database).users(report.run_id))}


def load_of(database, person):
    return asyncio.run(Champions(database).read(ModelKey.of_user(person.user_id, "sets", "load")))


def test_user_with_a_corrected_set_is_trained_again(database, spark_config, people):
    train_personal(LOAD, spark_config)
    person = people[1]
    confirmed = person.sets()[0]
    key = (person.user_id, UUID(confirmed.session), confirmed.set_id)
    database.execute(
        "UPDATE sets SET reps = 3, revision = 2 "
        "WHERE user_id = ? AND session_id = ? AND set_id = ?",
        key,
    )
    journal = Journal(database)
    asyncio.run(journal.announce(person.user_id, "sets", us_of(datetime.now(UTC))))
    again = train_personal(LOAD, spark_config, users="changed")
    assert again.counts["sets"] == len(person.sets())


def test_run_of_changed_users_reads_only_their_sets_and_keeps_the_newest_set_of_all(
    database, spark_config, people, monkeypatch
):
    first = train_personal(LOAD, spark_config)
    of_people = sorted(people, key=lambda person: max(set_.started_s for set_ in person.sets()))
    earlier, newest_s = of_people[0], max(set_.started_s for set_ in of_people[-1].sets())
    newest = datetime.fromisoformat(first.metrics["newest_set"])
    assert newest.timestamp() == pytest.approx(newest_s, abs=0.01)
    confirmed = earlier.sets()[0]
    database.execute(
        "UPDATE sets SET reps = 3, revision = 3 "
        "WHERE user_id = ? AND session_id = ? AND set_id = ?",
        (earlier.user_id, UUID(confirmed.session), confirmed.set_id),
    )
    asyncio.run(Journal(database).announce(earlier.user_id, "sets", us_of(datetime.now(UTC))))
    read = []
    monkeypatch.setattr(
        "pipelines.personal.job.newest_set_at",
        lambda *asked: read.append(asked[2:]) or newest_set_at(*asked),
    )
    again = train_personal(LOAD, spark_config, users="changed")
    assert read == [((earlier.user_id,),)]
    assert again.counts["sets"] == len(earlier.sets())
    assert again.metrics["newest_set"] == first.metrics["newest_set"]


def test_unchanged_refused_rows_are_skipped_by_the_next_run(database, spark_config, people):
    """The same rows would be refused again for the same reason."""
    loser = fake(lambda: BatchResult([(USER, 2.0, 1)], {}, "it loses"))
    assert train_batch(loser, spark_config).status == "refused"
    journal = Journal(database)
    asyncio.run(journal.announce(people[0].user_id, "follows", us_of(datetime.now(UTC))))
    assert train_batch(loser, spark_config, only_changed=True).status == "nothing-to-do"
    better = fake(lambda: BatchResult([(USER, 3.0, 1)], {}, "it loses"))
    assert train_batch(better, spark_config, only_changed=True).status == "refused"


def test_user_whose_model_was_withdrawn_is_trained_again(database, spark_config, people):
    family, user = PersonalFamily("winner", wins), people[3].user_id
    first = train_personal(family, spark_config)
    assert first.counts["promoted"] == PEOPLE
    withdraw(database, first.run_id)

    def changed():
        asyncio.run(Journal(database).announce(user, "sets", us_of(datetime.now(UTC))))
        report = train_personal(family, spark_config, users="changed")
        [outcome] = asyncio.run(JobRuns(database).of_user(report.run_id, user))
        return report.status, outcome.status, outcome.reason

    reason = f"the same bytes as those of run {first.run_id}, which was withdrawn"
    assert changed() == ("done", "promoted", reason)
    assert changed() == ("nothing-to-do", "unchanged", "")
