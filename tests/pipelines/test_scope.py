"""Which users a run of the exercise job trains, over nights, failures and long pauses."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ingest.erasure import erase_user
from pipelines.exercise import global_gate, job
from pipelines.exercise.global_models import STATISTICS, read_global_models
from pipelines.exercise.job import train_exercise
from pipelines.lifecycle.global_retirement import NO_SUCCESSOR, NOT_COMPARED
from pipelines.lifecycle.incumbents import NONE_SINCE_GLOBAL
from pipelines.lifecycle.pointers import pointers_in_effect, read_serving
from pipelines.lifecycle.scope import selected_users
from schemas.layout import GLOBAL_OWNER, owner_of
from store.champions import Champions
from store.models import ModelKey
from store.watermarks import Watermarks
from tests.pipelines.people import LAYOUT, done_at, put, sets_of, user_id
from tests.spark_session import emptied

PEOPLE = 3
EVERYBODY = [user_id(person) for person in range(PEOPLE)]
OUTSIDER = user_id(4)  # whose rank is above those of all three
SOON = 4 / 1440  # days: after an erasure, and less than ANNOUNCED_BEFORE later


@pytest.fixture(scope="module")
def people(spar):
    return [sets_of(spar, person) for person in range(PEOPLE)]


@pytest.fixture
def database(spark_config):
    with emptied(spark_config.cassandra) as connection:
        yield connection


@pytest.fixture
def train(database, spark_config):
    """Train in this process, so many days from now."""
    begun = datetime.now(UTC)

    def run(users="changed", days=0.0):
        at = begun + timedelta(days=days)
        return train_exercise(spark_config, users=users, engine="local", clock=lambda: at)

    return run


def put_all(database, people, at=None):
    for user, sets in zip(EVERYBODY, people, strict=True):
        put(database, user, sets, at or datetime.now(UTC))


def put_newest(database, people, held_back=1):
    """The sets that were held back, done now."""
    now = datetime.now(UTC)
    for user, sets in zip(EVERYBODY, people, strict=False):
        put(database, user, done_at(sets[-held_back:], now), now)


def served(database):
    keys = [(user, LAYOUT) for user in EVERYBODY]
    pointers = pointers_in_effect(database, keys, "exercise")
    return {user for user, _ in read_serving(database, pointers)}


def global_run(database):
    found = asyncio.run(Champions(database).serving(ModelKey.of_global(LAYOUT, "exercise")))
    return found.run_id if found else None


def test_all_users_are_trained_after_a_first_run_without_sets(database, people, train):
    assert train().status == "nothing-to-do"
    put_all(database, people)
    first = train(days=0.001)
    assert first.counts["promoted"] == PEOPLE
    assert global_run(database) == first.run_id
    assert train(days=1).status == "nothing-to-do"


def test_new_sets_trigger_global_training_while_no_global_model_serves(database, people, train):
    """One person cannot evaluate a global model; it is trained as soon as others have sets."""
    put(database, EVERYBODY[0], people[0], datetime.now(UTC) - timedelta(hours=1))
    assert train().counts["promoted"] == 1
    assert global_run(database) is None
    assert train(days=0.1).status == "nothing-to-do"
    put_all(database, people, datetime.now(UTC) + timedelta(0.15))
    assert global_run(database) is None
    second = train(days=0.2)
    assert global_run(database) == second.run_id


def test_named_user_without_sets_is_reported(database, people, train):
    report = train([EVERYBODY[0]])
    assert report.status == "nothing-to-do"
    assert report.reasons == {"who was named has no set that training can read": 1}


def own_versions(database):
    keys = [(user, LAYOUT) for user in EVERYBODY]
    return {
        user: one.version
        for (user, _), one in pointers_in_effect(database, keys, "exercise").items()
    }


def test_full_and_partial_runs_give_the_same_bytes_while_no_global_model_serves(
    database, people, train
):
    """With one user there is no global model, as nobody else could evaluate it."""
    put(database, EVERYBODY[0], people[0], datetime.now(UTC) - timedelta(hours=1))
    train([EVERYBODY[0]])
    alone = own_versions(database)
    for users in ("all", [EVERYBODY[0]], "all"):
        again = train(users)
        assert (again.counts["unchanged"], again.counts["sets"]) == (1, len(people[0]))
        assert own_versions(database) == alone
    assert global_run(database) is None


@pytest.mark.parametrize(
    ("chosen", "ready"), [((0, 1, 2), "0 exercises"), ((0, 1, 4), "1 exercise")]
)
def test_first_user_with_too_few_sets_is_refused_with_the_number_needed(
    database, people, train, chosen, ready: str
):
    """Three exercises once, or one of two exercises twice; two sets of each of two are enough."""
    put(database, EVERYBODY[0], [people[0][n] for n in chosen], datetime.now(UTC))
    report = train("all")
    judged = chosen == (0, 1, 4)  # the second set of an exercise
    assert report.status == ("refused" if judged else "done")
    [reason] = report.reasons
    assert "needed are 2 sets of each of 2 exercises" in reason
    assert reason.endswith(f"there are 3 sets, and 2 or more of {ready}")
    put(database, EVERYBODY[0], [people[0][n] for n in (0, 1, 4, 5)], datetime.now(UTC))
    assert train([EVERYBODY[0]]).counts["promoted"] == 1


@pytest.mark.parametrize("refusal", ["", "worse"])
def test_partial_run_gives_the_same_bytes_as_the_full_run_before_it(
    database, people, train, monkeypatch, refusal: str
):
    """Own models are mixed with the new global model if it serves, else with the former one."""
    put_all(database, [sets[:-2] for sets in people])
    train("all")
    put_newest(database, people, held_back=2)
    if refusal:
        monkeypatch.setattr(global_gate, "refusal_reason", lambda *_: refusal)
    whole = train("all")
    assert (whole.run_id == global_run(database)) == (not refusal)
    before = own_versions(database)
    assert before.keys() == set(EVERYBODY)
    assert train(EVERYBODY).counts["unchanged"] == PEOPLE
    assert own_versions(database) == before


def test_global_model_is_retrained_after_global_model_days(database, people, train):
    put_all(database, [sets[:-1] for sets in people], datetime.now(UTC) - timedelta(hours=1))
    first = train("all")
    assert train().status == "nothing-to-do"
    put_newest(database, people[:1])
    before = read_global_models(database)[LAYOUT].version
    assert train(days=1).counts["sets"] == len(people[0])  # only this user
    assert global_run(database) == first.run_id
    assert train(days=2).status == "nothing-to-do"
    again = train(days=8)
    assert again.counts["sets"] == sum(map(len, people)) - (PEOPLE - 1)
    assert read_global_models(database)[LAYOUT].version != before
    assert train(days=16).status == "nothing-to-do"  # no set has changed since


def erase(database, user):
    asyncio.run(erase_user(database, user, datetime.now(UTC)))


def expire(database, users):
    """Delete labelled sets as their time to live does."""
    for user in users:
        database.execute(
            "DELETE FROM labelled_sets WHERE user_id = ? AND model_id = ?", (user, LAYOUT)
        )


def test_erasure_causes_the_next_retraining_of_the_global_model(database, people, train):
    """Without new sets of others the erased user's statistics would stay in it forever."""
    put_all(database, people, datetime.now(UTC) - timedelta(hours=1))
    first = train("all")
    assert train(days=0.1).status == "nothing-to-do"
    erase(database, EVERYBODY[0])
    again = train(days=1)
    assert again.counts["sets"] == first.counts["sets"] - len(people[0])
    assert train(days=9).status == "nothing-to-do"


def test_erasure_of_a_user_who_cannot_be_in_the_global_model_changes_nothing(
    database, people, train
):
    put_all(database, people, datetime.now(UTC) - timedelta(hours=1))
    first = train("all")
    erase(database, OUTSIDER)
    assert train(days=8).counts == {}
    expire(database, EVERYBODY[1:])
    refused = train("all", days=9)
    assert refused.metrics["global"][LAYOUT].startswith("learned from 1 user")
    assert global_run(database) == first.run_id


def test_erasure_that_the_global_model_reflects_does_not_retire_it(database, people, train):
    """The mark of the run that learned it is five minutes older than its data."""
    put_all(database, people, datetime.now(UTC) - timedelta(hours=1))
    train("all", days=-1)
    erase(database, EVERYBODY[2])
    second = train("all", days=SOON)
    assert global_run(database) == second.run_id
    expire(database, EVERYBODY[1:])
    refused = train("all", days=1)
    assert refused.metrics["global"][LAYOUT].startswith("learned from 1 user")
    assert global_run(database) == second.run_id


@pytest.mark.parametrize("new_set", [True, False])
def test_global_model_of_an_erased_user_that_an_operator_brought_back_is_replaced_or_retired(
    database, people, train, new_set
):
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    put_all(database, [people[0][:-1], *people[1:]], hour_ago)
    first = train("all", days=-1)
    erase(database, EVERYBODY[2])
    second = train("all", days=SOON)
    assert global_run(database) == second.run_id
    asyncio.run(Champions(database).withdraw(second.run_id, "a test", datetime.now(UTC)))
    assert global_run(database) == first.run_id
    if new_set:
        put(database, EVERYBODY[0], people[0])
    third = train(days=0.5)
    assert global_run(database) == (third.run_id if new_set else None)
    assert (f"{LAYOUT}: {NO_SUCCESSOR}" in third.reasons) == (not new_set)
    assert train(days=1).status == "nothing-to-do"


@pytest.mark.parametrize("erased", [EVERYBODY[2], OUTSIDER])
def test_new_global_model_is_not_compared_with_one_that_must_go(
    database, people, train, monkeypatch, erased
):
    put_all(database, people, datetime.now(UTC) - timedelta(hours=1))
    train("all", days=-1)
    erase(database, erased)
    compared, learn_users = [], job.learn_users

    def learn(running, scope, context):
        compared.append(context.former.keys())
        return learn_users(running, scope, context)

    monkeypatch.setattr(job, "learn_users", learn)
    report = train("all", days=SOON)
    assert (global_run(database) == report.run_id) == (erased != OUTSIDER)
    assert (f"{LAYOUT}: {NOT_COMPARED}" in report.reasons) == (erased != OUTSIDER)
    assert compared == [set() if erased != OUTSIDER else {LAYOUT}]


def test_refused_global_model_retires_the_one_that_holds_an_erased_user(database, people, train):
    for user, sets in zip(EVERYBODY[:2], people, strict=False):
        put(database, user, sets, datetime.now(UTC) - timedelta(hours=1))
    assert train("all").metrics["global"][LAYOUT] == "promoted"
    erase(database, EVERYBODY[0])
    again = train(days=8)
    assert again.metrics["global"][LAYOUT].startswith("learned from 1 user")
    assert again.reasons[f"{LAYOUT}: {NO_SUCCESSOR}"] == 1
    assert (global_run(database), read_global_models(database)) == (None, {})
    assert served(database) == {EVERYBODY[1]}


def test_global_model_is_retired_when_every_user_was_erased(database, people, train):
    put_all(database, people, datetime.now(UTC) - timedelta(hours=1))
    train("all")
    for user in EVERYBODY:
        erase(database, user)
    again = train(days=8)
    assert again.metrics["global"] == {LAYOUT: f"not learned; {NO_SUCCESSOR}"}
    assert (global_run(database), read_global_models(database)) == (None, {})
    assert NO_SUCCESSOR not in str(train(days=16).reasons)


def test_refused_global_model_leaves_the_one_before_it_where_nobody_was_erased(
    database, people, train
):
    put_all(database, people, datetime.now(UTC) - timedelta(hours=1))
    first = train("all")
    expire(database, EVERYBODY[1:])
    refused = train("all", days=1)
    assert refused.metrics["global"][LAYOUT].startswith("learned from 1 user")
    assert global_run(database) == first.run_id


def test_all_users_are_trained_when_the_changes_since_the_last_run_have_expired(
    database, people, train
):
    put_all(database, [sets[:-1] for sets in people], datetime.now(UTC) - timedelta(hours=1))
    train("all")
    put_all(database, people)
    database.execute("TRUNCATE changes")  # as their TTL does
    assert (
        selected_users(database, "exercise", "changed", datetime.now(UTC) + timedelta(95)) is None
    )
    assert train(days=95).counts["sets"] == sum(map(len, people))


def test_a_failed_user_is_trained_once_its_data_is_fixed(database, people, train):
    broken = [people[0], people[1], [replace(people[2][0], samples=b"none"), *people[2][1:]]]
    put_all(database, broken, datetime.now(UTC) - timedelta(hours=1))
    assert train("all").counts["failed"] == 1
    for day in (1, 2):  # it is tried again by every run
        again = train(days=day)
        assert (again.status, again.counts) == ("nothing-to-do", {"sets": 16, "failed": 1})
    database.execute(
        "UPDATE labelled_sets SET samples = ? WHERE user_id = ? AND model_id = ? AND set_id = ?",
        (people[2][0].samples, EVERYBODY[2], LAYOUT, UUID(people[2][0].set_id)),
    )
    healed = train(days=3)  # nobody knows that the global model does without these sets
    assert healed.reasons == {f"10-19 sets: no later set to judge by; {NONE_SINCE_GLOBAL}": 1}
    now = datetime.now(UTC)
    put(database, EVERYBODY[2], done_at(people[2][-1:], now), now + timedelta(3.5))
    assert train(days=4).counts == {"sets": 16, "promoted": 1}
    assert train(days=5).counts == {}


def test_run_of_named_users_does_not_move_the_watermark(database, people, train):
    put_all(database, [sets[:-1] for sets in people], datetime.now(UTC) - timedelta(hours=1))
    train("all")
    mark = asyncio.run(Watermarks(database).newest("exercise"))
    put_newest(database, people)
    assert train([EVERYBODY[0]], days=0.1).counts["promoted"] == 1
    assert asyncio.run(Watermarks(database).newest("exercise")) == mark
    assert train(days=0.2).counts["promoted"] == PEOPLE - 1


def test_pointer_to_a_deleted_model_is_not_an_incumbent(database, people, train):
    """An erasure in progress deletes models before pointers."""
    put_all(database, people)
    train("all")
    database.execute(
        "DELETE FROM models WHERE owner = ? AND model_id = ? AND family = 'exercise'",
        (owner_of(EVERYBODY[1]), LAYOUT),
    )
    assert served(database) == {EVERYBODY[0], EVERYBODY[2]}
    assert train("all").counts["unchanged"] == PEOPLE
    assert served(database) == set(EVERYBODY)


def spoil(database, owner, family="exercise"):
    """Overwrite the serving model of an owner with junk."""
    serving = asyncio.run(Champions(database).serving(ModelKey(owner, LAYOUT, family)))
    database.execute(
        "UPDATE models SET bytes = ? "
        "WHERE owner = ? AND model_id = ? AND family = ? AND version = ?",
        (b"junk", owner, LAYOUT, family, serving.version),
    )


def test_unreadable_serving_model_is_replaced(database, people, train):
    put_all(database, [people[0][:-1], *people[1:]], datetime.now(UTC) - timedelta(hours=1))
    train("all")
    spoil(database, owner_of(EVERYBODY[0]))
    put_newest(database, people[:1])
    again = train(days=1)
    assert (again.status, again.counts["promoted"]) == ("done", 1)
    [reason] = again.reasons
    assert "which cannot be read" in reason


def test_unreadable_global_statistics_are_learned_again(database, people, train):
    put_all(database, [people[0][:-1], *people[1:]], datetime.now(UTC) - timedelta(hours=1))
    train("all")
    spoil(database, GLOBAL_OWNER, STATISTICS)
    put(database, EVERYBODY[0], people[0], datetime.now(UTC))
    assert train(days=1).counts["sets"] == sum(map(len, people))
    assert read_global_models(database).keys() == {LAYOUT}
