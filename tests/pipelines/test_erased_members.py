"""Global models that hold an erased user are replaced or retired."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ingest.erasure import erase_user
from pipelines.exercise import job
from pipelines.exercise.global_models import read_global_models
from pipelines.lifecycle.global_retirement import NO_SUCCESSOR, NOT_COMPARED
from store.champions import Champions
from store.watermarks import ANNOUNCED_BEFORE
from tests.pipelines.people import LAYOUT, put, user_id
from tests.pipelines.three_people import EVERYBODY, global_run, put_all, served

OUTSIDER = user_id(4)  # whose rank is above those of all three
SOON = ANNOUNCED_BEFORE - timedelta(minutes=1)  # after an erasure


@pytest.fixture
def database(empty):
    return empty


def erase(database, user):
    """Erase somebody; when that was."""
    at = datetime.now(UTC)
    asyncio.run(erase_user(database, user, at))
    return at


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
    second = train("all", at=erase(database, EVERYBODY[2]) + SOON)
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
    second = train("all", at=erase(database, EVERYBODY[2]) + SOON)
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
    erased_at = erase(database, erased)
    compared, learn_users = [], job.learn_users

    def learn(running, scope, context):
        compared.append(context.former.keys())
        return learn_users(running, scope, context)

    monkeypatch.setattr(job, "learn_users", learn)
    report = train("all", at=erased_at + SOON)
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
