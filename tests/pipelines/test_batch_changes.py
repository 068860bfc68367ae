"""What a run after the first one reads: changed, corrected and new data, and what was withdrawn."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from ingest.registration import register
from pipelines.batch.family import BatchResult
from pipelines.batch.job import train_batch
from pipelines.clusters import CLUSTERS
from pipelines.lifecycle.log_partitions import newest_set_at
from pipelines.lifecycle.open_refusals import LITTLE_EVIDENCE
from pipelines.lifecycle.runs import run_id_at
from pipelines.load import LOAD
from pipelines.next import NEXT
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import LOST_TO_SERVING, Evidence
from pipelines.personal.job import NEWEST_SET, train_personal
from pipelines.rank import RANK
from schemas.errors import BadSets
from schemas.times import us_of
from store.champions import Champions
from store.changes import Changes
from store.jobs import JobRuns
from store.models import ModelKey
from store.results import Results
from store.users import User, Users
from tests.pipelines.crowd import PEOPLE, crowd, settled
from tests.pipelines.made_families import USER, fake, live, wins, withdraw

# For what does not depend on the engine: a run on Spark takes a second more.
train_here = partial(train_personal, engine="local")


@pytest.fixture(scope="module")
def people():
    return crowd()


@pytest.fixture(scope="module")
def database(spark, spark_config, people):
    with settled(spark_config.cassandra, people) as connection:
        yield connection


def loses_by_chance(logs, cutoff_s):
    """A recipe that may be better for most people, but not on these later sets."""
    return [PersonalModel(b"a model", Evidence(100, 60.0, 50.0)) for _ in logs]


def test_user_who_is_refused_for_little_evidence_again_and_again_is_counted_once(
    database, spark_config, people
):
    """The same hundred sets are no new evidence: neither against this user nor against another."""
    family = PersonalFamily("unlucky", loses_by_chance, "made")
    users = [[people[0].user_id]] * 3 + [[people[1].user_id]]
    *nights, newcomers = (train_here(family, spark_config, users=some) for some in users)
    assert [(night.status, night.reasons) for night in nights] == [
        ("refused", {LITTLE_EVIDENCE: 1})
    ] * 3
    assert not any("judged" in night.metrics for night in nights)
    assert newcomers.metrics["judged"]["later_sets"] == 200
    assert newcomers.reasons == {LITTLE_EVIDENCE: 1}


def loses_by_a_hair(logs, cutoff_s):
    """Better than doing the same again on no user of a small run, and clearly worse for none."""
    return [PersonalModel(b"a new model", Evidence(5, 2.01, 2.0)) for _ in logs]


def with_error(error):
    """A recipe whose models err by this where the baseline errs by 100, on a hundred sets."""

    def learn(logs, cutoff_s):
        content = b"a model that errs by %d" % error
        return [PersonalModel(content, Evidence(100, error, 100.0)) for _ in logs]

    return learn


def test_recipe_that_is_much_worse_than_the_serving_one_is_refused(database, spark_config):
    """It beats the baseline; one that is about as good as the serving one goes live."""

    def train(error):
        family = PersonalFamily("rivals", with_error(error), f"errs by {error}")
        report = train_here(family, spark_config)
        return report.status, dict(report.reasons)

    assert train(60.0) == ("done", {})
    assert train(90.0) == ("refused", {LOST_TO_SERVING: PEOPLE})
    assert train(65.0) == ("done", {})
    assert train(90.0)[0] == "refused", "the newest recipe that went live counts"
    assert train(65.0)[0] == "done"


def unevaluated(logs, cutoff_s):
    """Models of newcomers: no set is later than the cut-off."""
    return [PersonalModel(b"a model of newcomers") for _ in logs]


@pytest.mark.parametrize("learn", [loses_by_a_hair, unevaluated])
def test_recipe_on_few_users_is_judged_with_the_runs_before(database, spark_config, people, learn):
    """Ten later sets of each of the others before outweigh five of one; of all, if it has none."""
    name = f"steady-{learn.__name__}"
    assert train_here(PersonalFamily(name, wins, "made"), spark_config).status == "done"
    person = people[5]
    confirmed = person.sets()[0]
    database.execute(
        "UPDATE sets SET reps = 3, revision = ? "
        "WHERE user_id = ? AND session_id = ? AND set_id = ?",
        (len(name), person.user_id, UUID(confirmed.session), confirmed.set_id),
    )
    asyncio.run(Changes(database).announce(person.user_id, "sets", us_of(datetime.now(UTC))))
    report = train_here(PersonalFamily(name, learn, "made"), spark_config, users="changed")
    assert (report.status, report.counts["promoted"]) == ("done", 1)
    own = report.metrics.get("later_sets", 0)
    assert report.metrics["judged"]["later_sets"] == 10 * (PEOPLE - bool(own)) + own


def test_users_refused_without_evidence_are_tried_again(database, spark_config):
    first = train_here(PersonalFamily("young", unevaluated, "made"), spark_config)
    assert (first.status, first.counts["refused"]) == ("refused", PEOPLE)
    again = train_here(PersonalFamily("young", wins, "made"), spark_config, users="changed")
    assert (again.status, again.counts["promoted"]) == ("done", PEOPLE)


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
    asyncio.run(register(Changes(database), Users(database), newcomer))
    second = train_batch(RANK, spark_config, only_changed=True)
    assert (second.status, second.counts["rows"]) == ("done", first.counts["rows"] + 1)
    assert asyncio.run(Results(database).rank(second.run_id, newcomer.user_id)).rank > 0
    database.execute("DELETE FROM usernames WHERE username = ?", (newcomer.username,))
    assert train_batch(RANK, spark_config).counts["rows"] == first.counts["rows"]


def test_changes_that_the_last_run_had_read_are_skipped(database, spark_config, people):
    """Changes of the minutes before a run are read again by the next one, with the same rows."""
    first = train_batch(CLUSTERS, spark_config)
    train_personal(LOAD, spark_config)
    changes = Changes(database)
    asyncio.run(changes.announce(people[0].user_id, "sets", us_of(datetime.now(UTC))))
    assert train_batch(CLUSTERS, spark_config, only_changed=True).status == "nothing-to-do"
    assert live(database, "clusters").run_id == first.run_id
    for _ in range(2):
        assert people[0].user_id in unchanged_users(database, spark_config)
    served = next(person for person in people[1:] if load_of(database, person))
    for user in (served.user_id, uuid4()):  # with and without a model
        asyncio.run(changes.announce(user, "sets", us_of(datetime.now(UTC))))
    assert served.user_id in unchanged_users(database, spark_config)


def test_change_written_after_the_run_that_its_announcement_precedes_is_read_by_the_next_one(
    database, spark_config, people
):
    """Where it was written in time, the next run need not learn from everybody to find that out."""
    person = people[2]
    asyncio.run(Changes(database).announce(person.user_id, "sets", us_of(datetime.now(UTC))))
    train_batch(CLUSTERS, spark_config)
    in_time = [train_batch(CLUSTERS, spark_config, only_changed=True) for _ in range(2)]
    assert [(run.status, run.seconds) for run in in_time] == [("nothing-to-do", {})] * 2
    confirmed = person.sets()[0]
    database.execute(
        "UPDATE sets SET reps = 3, revision = 4 "
        "WHERE user_id = ? AND session_id = ? AND set_id = ?",
        (person.user_id, UUID(confirmed.session), confirmed.set_id),
    )
    assert "learn" in train_batch(CLUSTERS, spark_config, only_changed=True).seconds


def unchanged_users(database, spark_config):
    """The users of a run of changed ones, which must have found the sets of all of them unchanged.

    One whose model was vetoed stays so.
    """
    report = train_personal(LOAD, spark_config, users="changed")
    assert (report.status, report.seconds) == ("nothing-to-do", {})
    assert "unchanged" in report.counts
    assert set(report.counts) <= {"unchanged", "vetoed"}
    return {outcome.user_id for outcome in asyncio.run(JobRuns(database).users(report.run_id))}


def load_of(database, person):
    return asyncio.run(Champions(database).read(ModelKey.of_user(person.user_id, "sets", "load")))


def test_user_with_a_corrected_set_is_trained_again(database, spark_config, people):
    train_here(LOAD, spark_config)
    person = people[1]
    confirmed = person.sets()[0]
    key = (person.user_id, UUID(confirmed.session), confirmed.set_id)
    database.execute(
        "UPDATE sets SET reps = 3, revision = 2 "
        "WHERE user_id = ? AND session_id = ? AND set_id = ?",
        key,
    )
    changes = Changes(database)
    asyncio.run(changes.announce(person.user_id, "sets", us_of(datetime.now(UTC))))
    again = train_here(LOAD, spark_config, users="changed")
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
    asyncio.run(Changes(database).announce(earlier.user_id, "sets", us_of(datetime.now(UTC))))
    read = []
    monkeypatch.setattr(
        "pipelines.personal.cutoff.newest_set_at",
        lambda *asked: read.append(asked[3:]) or newest_set_at(*asked),
    )
    again = train_personal(LOAD, spark_config, users="changed")
    assert read == [((earlier.user_id,),)]
    assert again.counts["sets"] == len(earlier.sets())
    assert again.metrics["newest_set"] == first.metrics["newest_set"]


def test_newest_set_that_was_recorded_of_the_future_is_forgotten(database, spark_config, people):
    """With it nobody would have a later set to be judged by."""
    family, now = PersonalFamily("clocks", wins, "made"), datetime.now(UTC)
    before, metrics = run_id_at(now - timedelta(hours=1)), {NEWEST_SET: "2199-01-01T00:00:00+00:00"}
    asyncio.run(JobRuns(database).start(family.name, before, {}, now))
    asyncio.run(
        JobRuns(database).finish(
            family.name, before, "done", now, counts={}, metrics=metrics, reasons={}
        )
    )
    newest_s = max(set_.started_s for person in people for set_ in person.sets())
    for _ in range(2):  # the second time beside a record of the first
        report = train_here(family, spark_config, users=[people[0].user_id])
        newest = datetime.fromisoformat(report.metrics[NEWEST_SET])
        assert newest.timestamp() == pytest.approx(newest_s, abs=0.01)


def test_sets_that_all_lie_in_the_future_end_a_run_over_everybody(database, spark_config):
    """The server's clock may be behind: then nobody's model may be retired."""
    last_year = datetime(2025, 6, 1, tzinfo=UTC)
    with pytest.raises(BadSets, match="later than 2025-06-02 00:00 UTC.*check the server's clock"):
        train_here(PersonalFamily("early", wins, "made"), spark_config, clock=lambda: last_year)


def test_unchanged_refused_rows_are_skipped_by_the_next_run(database, spark_config, people):
    """The same rows would be refused again for the same reason."""
    loser = fake(lambda: BatchResult([(USER, 2.0, 1)], {}, "it loses"))
    assert train_batch(loser, spark_config).status == "refused"
    changes = Changes(database)
    asyncio.run(changes.announce(people[0].user_id, "follows", us_of(datetime.now(UTC))))
    assert train_batch(loser, spark_config, only_changed=True).status == "nothing-to-do"
    better = fake(lambda: BatchResult([(USER, 3.0, 1)], {}, "it loses"))
    asyncio.run(changes.announce(people[0].user_id, "follows", us_of(datetime.now(UTC))))
    assert train_batch(better, spark_config, only_changed=True).status == "refused"


def test_user_whose_model_was_withdrawn_is_trained_again(database, spark_config, people):
    family, user = PersonalFamily("winner", wins, "made"), people[3].user_id
    first = train_here(family, spark_config)
    assert first.counts["promoted"] == PEOPLE
    withdraw(database, first.run_id)

    def changed():
        asyncio.run(Changes(database).announce(user, "sets", us_of(datetime.now(UTC))))
        report = train_here(family, spark_config, users="changed")
        [outcome] = asyncio.run(JobRuns(database).of_user(report.run_id, user))
        return report.status, outcome.status, outcome.reason

    reason = f"the same bytes as those of run {first.run_id}, which was withdrawn"
    assert changed() == ("done", "promoted", reason)
    assert changed() == ("nothing-to-do", "unchanged", "")
