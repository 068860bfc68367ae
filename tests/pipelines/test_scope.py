"""Which users a run of the exercise job trains, over nights, failures and long pauses."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pipelines.exercise import global_gate
from pipelines.exercise.global_models import STATISTICS, read_global_models
from pipelines.lifecycle.open_refusals import NONE_SINCE_GLOBAL
from pipelines.lifecycle.pointers import pointers_in_effect
from pipelines.lifecycle.scope import selected_users
from schemas.layout import GLOBAL_OWNER, owner_of
from store.champions import Champions
from store.models import ModelKey
from store.watermarks import Watermarks
from tests.pipelines.people import LAYOUT, done_at, put
from tests.pipelines.three_people import (
    EVERYBODY,
    PEOPLE,
    global_run,
    put_all,
    put_newest,
    served,
)


@pytest.fixture
def database(empty):
    return empty


def test_all_users_are_trained_after_a_first_run_without_sets(database, people, train):
    assert train().status == "nothing-to-do"
    put_all(database, people)
    first = train(days=0.1)
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
        monkeypatch.setattr(global_gate, "refusal_reason", lambda *_, **__: refusal)
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
