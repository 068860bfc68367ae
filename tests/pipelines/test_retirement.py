"""Retirement: models of users who deleted their sets stop serving at the next training."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from ingest.erasure import erase_user
from models.history import SetLog
from models.population.simulate import simulate
from pipelines.exercise.job import train_exercise
from pipelines.form import train_form
from pipelines.lifecycle.user_models import NO_SETS
from pipelines.load import LOAD
from pipelines.next import NEXT
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import Evidence
from pipelines.personal.job import train_personal
from schemas.inputs import SETS
from schemas.layout import owner_of
from schemas.times import us_of
from store.champions import Champions
from store.changes import Changes
from store.jobs import JobRuns
from store.labelled_sets import LabelledSets
from store.models import ModelKey
from tests.pipelines.crowd import settle
from tests.pipelines.people import LAYOUT, Meanwhile, confirmed, put, sets_of, short, user_id

PEOPLE = 4


@pytest.fixture(scope="module")
def people(spar):
    return [sets_of(spar, person) for person in range(PEOPLE)]


@pytest.fixture
def trained(spark_config, people):
    """Four people with an own model each; the report of their run."""
    with confirmed(spark_config.cassandra, people) as database:
        report = train_exercise(spark_config, engine="local")
        assert report.counts["promoted"] == PEOPLE
        yield database, report


def serving(database, user: UUID, layout: str = LAYOUT, family: str = "exercise"):
    found = asyncio.run(Champions(database).serving(ModelKey.of_user(user, layout, family)))
    return found.version if found else None


def announce(database, user: UUID) -> None:
    asyncio.run(Changes(database).announce(user, "sets", us_of(datetime.now(UTC))))


def delete(database, person: int, sets) -> None:
    """What a deleted set leaves: nothing in the table, and an announcement."""
    user, at_us = user_id(person), us_of(datetime.now(UTC))
    for set_ in sets:
        for layout in (LAYOUT, "wrist-acc3"):
            work = LabelledSets(database).delete(user, layout, UUID(set_.set_id), at_us)
            asyncio.run(work)
    announce(database, user)


def outcome(database, report, user: UUID) -> tuple[str, str, str]:
    [one] = asyncio.run(JobRuns(database).of_user(report.run_id, user))
    return one.status, one.reason, one.version


def test_model_is_retired_when_its_user_has_no_sets_and_others_keep_theirs(
    trained, spark_config, people
):
    database, first = trained
    before = {person: serving(database, user_id(person)) for person in range(PEOPLE)}
    delete(database, 0, people[0])
    second = train_exercise(spark_config, users="changed", engine="local")
    assert (second.status, second.counts) == ("done", {"retired": 1})
    assert outcome(database, second, user_id(0)) == ("retired", NO_SETS, before[0])
    after = {person: serving(database, user_id(person)) for person in range(PEOPLE)}
    assert after == before | {0: None}
    everybody = asyncio.run(Champions(database).serving(ModelKey.of_global(LAYOUT, "exercise")))
    assert everybody.run_id == first.run_id

    again = train_exercise(spark_config, users="changed", engine="local")
    assert (again.status, again.counts) == ("nothing-to-do", {})
    now = datetime.now(UTC)  # new sets give a new model
    put(database, user_id(0), [replace(one, revision=us_of(now)) for one in people[0]], now)
    third = train_exercise(spark_config, users="changed", engine="local")
    assert third.counts["promoted"] == 1
    assert serving(database, user_id(0)) is not None


def test_retirement_is_undone_by_withdrawal_and_by_rollback(trained, spark_config, people):
    database, _ = trained
    champions, key = Champions(database), ModelKey.of_user(user_id(0), LAYOUT, "exercise")
    before = serving(database, user_id(0))
    delete(database, 0, people[0])
    report = train_exercise(spark_config, users="changed", engine="local")
    pointer = asyncio.run(champions.read(key))
    assert (pointer.version, pointer.previous_version, pointer.run_id) == (
        "",
        before,
        report.run_id,
    )
    asyncio.run(champions.withdraw(report.run_id, "a test", datetime.now(UTC)))
    assert serving(database, user_id(0)) == before

    again = train_exercise(spark_config, users=[user_id(0)], engine="local")
    assert again.counts == {"retired": 1}
    assert serving(database, user_id(0)) is None
    asyncio.run(champions.rollback(key, datetime.now(UTC)))
    assert serving(database, user_id(0)) == before


def test_model_is_retired_with_too_short_sets_but_not_with_broken_samples(
    trained, spark_config, people
):
    database, _ = trained
    before = serving(database, user_id(1))
    for person, samples in ((0, short(people[0][0].samples)), (1, b"\x93 no samples")):
        delete(database, person, people[person][1:])
        revised = replace(people[person][0], samples=samples, revision=us_of(datetime.now(UTC)))
        put(database, user_id(person), [revised], datetime.now(UTC))
    report = train_exercise(spark_config, users="changed", engine="local")
    assert report.counts == {"sets": 2, "failed": 1, "retired": 1}
    status, reason, _ = outcome(database, report, user_id(0))
    assert (status, reason) == ("retired", "none of 1 labelled sets is as long as a window")
    assert serving(database, user_id(0)) is None
    assert serving(database, user_id(1)) == before


def test_full_run_retires_models_whose_samples_have_expired(trained, spark_config, people):
    database, _ = trained
    for person in range(PEOPLE):
        for one in people[person]:
            work = LabelledSets(database).delete(
                user_id(person), LAYOUT, UUID(one.set_id), us_of(datetime.now(UTC))
            )
            asyncio.run(work)
    report = train_exercise(spark_config, engine="local")
    assert (report.status, report.counts) == ("done", {"retired": PEOPLE})
    assert [serving(database, user_id(person)) for person in range(PEOPLE)] == [None] * PEOPLE
    assert train_exercise(spark_config, engine="local").status == "nothing-to-do"


def test_form_model_is_retired_with_its_sets(spark_config, empty, spar):
    sets = sets_of(spar, 0, exercises=1)
    put(empty, user_id(0), sets)
    assert train_form(spark_config, engine="local").counts["promoted"] == 1
    delete(empty, 0, sets)
    report = train_form(spark_config, users="changed", engine="local")
    assert (report.status, report.counts) == ("done", {"retired": 1})
    assert serving(empty, user_id(0), family="form") is None
    assert train_form(spark_config, users="changed", engine="local").status == "nothing-to-do"


LEAST = 5


def wins(logs, cutoff_s):
    """A model for every user with enough sets."""
    return [
        PersonalModel(b"a model", Evidence(10, 4.0, 5.0))
        if len(log) >= LEAST
        else f"{len(log)} sets, {LEAST} are needed"
        for log in logs
    ]


def test_personal_model_is_retired_when_too_few_sets_are_left(spark, spark_config, empty):
    family, crowd = PersonalFamily("winner", wins, "made"), list(simulate(3, 3, 3))
    none, few, enough = (person.user_id for person in crowd)
    settle(empty, crowd)
    assert train_personal(family, spark_config).counts["promoted"] == 3

    keep(empty, none, 0)
    keep(empty, few, LEAST - 1)
    for user in (none, few, enough):
        announce(empty, user)
    report = train_personal(family, spark_config, users="changed")
    assert report.status == "done"
    assert report.counts == {"sets": LEAST - 1, "retired": 2, "unchanged": 1}
    assert outcome(empty, report, none)[:2] == ("retired", NO_SETS)
    assert outcome(empty, report, few)[1] == f"{LEAST - 1} sets, {LEAST} are needed"
    assert [bool(serving(empty, u, SETS, "winner")) for u in (none, few, enough)] == [0, 0, 1]
    again = train_personal(family, spark_config, users="changed")
    assert (again.status, again.counts) == ("nothing-to-do", {"retired": 1, "unchanged": 1})

    keep(empty, enough, 0)
    keep(empty, few, 0)
    whole = train_personal(family, spark_config)  # no user has any set now
    assert whole.counts == {"retired": 1}
    assert serving(empty, enough, SETS, "winner") is None


@pytest.mark.parametrize("family", [LOAD, NEXT], ids=lambda family: family.name)
def test_unexpected_error_is_raised_and_does_not_retire_models(family, monkeypatch):
    """Otherwise a bug would retire the models of all users."""

    def breaks(*given):
        raise ValueError("a mistake")

    monkeypatch.setattr(f"pipelines.{family.name}.fit_{family.name}", breaks)
    log = SetLog.of(next(iter(simulate(1, 3, 3))).sets())
    with pytest.raises(ValueError, match="a mistake"):
        family.learn([log], 0.0)


def keep(database, user: UUID, most: int) -> None:
    """Delete all but so many sets of a user."""
    rows = database.execute("SELECT session_id, set_id FROM sets WHERE user_id = ?", (user,))
    for row in list(rows)[most:]:
        database.execute(
            "DELETE FROM sets WHERE user_id = ? AND session_id = ? AND set_id = ?", (user, *row)
        )


def test_user_erased_during_a_run_gets_no_pointer_and_no_outcome(spark_config, people):
    with confirmed(spark_config.cassandra, people) as database:
        gone = user_id(0)
        erase = Meanwhile(lambda: asyncio.run(erase_user(database, gone, datetime.now(UTC))))
        report = train_exercise(spark_config, engine="local", progress=erase)
        assert report.counts["promoted"] == PEOPLE - 1
        assert asyncio.run(Champions(database).of_owner(owner_of(gone))) == []
        assert asyncio.run(JobRuns(database).of_user(report.run_id, gone)) == []
        again = train_exercise(spark_config, engine="local")
        assert asyncio.run(JobRuns(database).of_user(again.run_id, gone)) == []
        assert asyncio.run(Champions(database).of_owner(owner_of(gone))) == []
