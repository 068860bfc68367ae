"""The recipe of the global model for new users, chosen by evaluation on held-out users."""

import asyncio
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from models.exercise.codec import statistics_to_bytes, to_bytes
from models.exercise.statistics import total
from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.gate import UserTrial, compare
from pipelines.exercise.global_fit import PortionSums, fit_from_sums
from pipelines.exercise.global_gate import judge_global
from pipelines.exercise.global_models import (
    REDUCED,
    STATISTICS,
    SUMS,
    WAITS,
    promote_global,
    promote_summed,
    read_global_models,
    store_global,
)
from pipelines.exercise.learner import member_statistics
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import ModelCandidate
from pipelines.experiments.cold_start import compare_models, held_out_user, model_of_sums
from pipelines.experiments.job import RecipeResult, _promote_winner
from pipelines.lifecycle.pointers import OVERTAKEN, served_versions
from schemas.layout import GLOBAL_OWNER
from store.champions import Champions
from store.models import ModelKey, Models, StoredModel
from tests.pipelines.people import LAYOUT, sets_of, user_id

RECIPE = Recipe("test")
STRANGER = str(user_id(2))
AT = datetime(2026, 11, 2, tzinfo=UTC)
FAMILIES = ("exercise", STATISTICS)


@pytest.fixture(scope="module")
def statistics(spar):
    """The statistics of three people."""
    people = {str(user_id(person)): sets_of(spar, person) for person in range(3)}
    return {user: member_statistics(sets, LAYOUT, RECIPE)[0] for user, sets in people.items()}


@pytest.fixture(scope="module")
def sums(statistics):
    """The summed model of the first two people."""
    members = sorted(user for user in statistics if user != STRANGER)
    known = total([statistics[user] for user in members])
    row = {"model_id": LAYOUT, "members": members, "sums": statistics_to_bytes(known)}
    return model_of_sums([row])


def each(statistics):
    """One portion per user."""
    return [PortionSums((user,), one) for user, one in statistics.items()]


def test_held_out_users_are_excluded_from_the_sums(statistics, sums):
    known = {user: one for user, one in statistics.items() if user != STRANGER}
    expected = fit_from_sums(each(known), LAYOUT, Calibrations()).learned.model
    assert to_bytes(sums) == to_bytes(expected)


def test_recipe_with_more_right_sets_of_held_out_users_takes_over(spar, sums):
    people = [held_out_user(STRANGER, sets_of(spar, 2), RECIPE)]
    wrong = replace(sums, labels=(*sums.labels[1:], sums.labels[0]))  # every name is wrong
    better = compare_models(sums, wrong, people)
    assert (better.people, better.sets) == (1, 16)
    assert better.challenger > 0.5 > better.serving
    assert better.takes_over
    assert not compare_models(wrong, sums, people).takes_over
    equal = compare_models(sums, sums, people)
    assert (equal.won, equal.lost, equal.takes_over) == (0, 0, False)


@pytest.mark.parametrize(
    ("won", "lost", "majority_right", "takes_over"),
    [(5, 0, False, True), (4, 0, False, False), (9, 5, False, False), (5, 0, True, False)],
)
def test_recipe_takes_over_only_if_it_wins_significantly_and_beats_the_majority(
    won, lost, majority_right, takes_over
):
    hits = {f"w{n}": True for n in range(won)} | {f"l{n}": False for n in range(lost)}
    other = {name: not hit for name, hit in hits.items()}
    trial = UserTrial("a", len(hits), hits, other, dict.fromkeys(hits, majority_right))
    assert compare([trial]).takes_over == takes_over


def test_comparison_without_held_out_users_does_not_take_over():
    assert not compare([]).takes_over


def serving(database, family="exercise"):
    """The recipe and the version of the serving model."""
    pointer = asyncio.run(Champions(database).serving(ModelKey.of_global(LAYOUT, family)))
    stored = asyncio.run(Models(database).get(pointer.key, pointer.version))
    return stored.manifest["recipe"], pointer.version


@pytest.fixture
def store(database):
    """The store; its global models are removed afterwards, for other tests."""
    yield database
    for family in FAMILIES:
        asyncio.run(Champions(database).remove(ModelKey.of_global(LAYOUT, family)))


def trained(store, model, members, run_id=None, served=None):
    """What a run says that judges and stores a global model."""
    moved = store_global(
        store,
        LAYOUT,
        model,
        judge_global(LAYOUT, model, members, 0.01),
        served=served or served_versions(store, FAMILIES),
        must_replace=False,
        seed=1,
        run_id=run_id or uuid4(),
        learned_until=AT,
        at=AT,
    )
    return moved.reason or moved.status


def judging(store, run_id=None):
    """What an experiment promotes with: compared with what serves now."""
    served = served_versions(store, FAMILIES)
    return {"run_id": run_id or uuid4(), "at": AT, "served": served}


def passing_members(statistics):
    """Members with one late set each that the global model names right and a constant does not."""
    rungs = {"own": {}, "everybody": {"s": True}, "incumbent": {}, "majority": {"s": False}}
    asked = dict.fromkeys(rungs, (1, 1))
    return [ModelCandidate(UUID(user), LAYOUT, "v", b"", 16, rungs, asked) for user in statistics]


def test_withdrawn_global_model_is_promoted_again_only_if_no_other_version_serves(
    store, statistics
):
    members, everybody = (
        passing_members(statistics),
        fit_from_sums(each(statistics), LAYOUT, Calibrations()),
    )
    fewer = {user: one for user, one in statistics.items() if user != STRANGER}
    before = fit_from_sums(each(fewer), LAYOUT, Calibrations())

    def train(one):
        run_id = uuid4()
        return trained(store, one, members, run_id), run_id

    def withdraw(run_id):
        asyncio.run(Champions(store).withdraw(run_id, "a test", AT))

    said, first = train(before)
    assert said == "promoted"
    withdraw(first)
    assert read_global_models(store) == {}
    assert train(before)[0] == "promoted"
    assert read_global_models(store)[LAYOUT].version == before.version

    said, second = train(everybody)
    assert said == "promoted"
    withdraw(second)
    assert "was withdrawn" in train(everybody)[0]
    assert read_global_models(store)[LAYOUT].version == before.version

    averaged = to_bytes(replace(before.learned.model, bias=before.learned.model.bias + 1))
    third, said = uuid4(), {"recipe": REDUCED}
    assert promote_global(store, LAYOUT, averaged, said, **judging(store, third)).serves
    withdraw(third)
    again = promote_global(store, LAYOUT, averaged, said, **judging(store))
    assert "was withdrawn" in again.reason
    assert serving(store)[0] == SUMS


@pytest.mark.parametrize(("right", "said"), [(4, "of people who are not in it"), (5, "promoted")])
def test_global_model_that_is_worse_for_users_outside_both_models_is_refused(
    store, statistics, right: int, said: str
):
    """Of nine sets that the incumbent names right, five lost are significant, four are not."""
    hits = {str(n): n < right for n in range(9)}
    rungs = {"own": {}, "everybody": hits, "incumbent": {}, "majority": dict.fromkeys(hits, False)}
    rungs["former"] = dict.fromkeys(hits, True)
    asked = dict.fromkeys(rungs, (9, 9))
    stranger = ModelCandidate(uuid4(), LAYOUT, "v", b"", 16, rungs, asked)
    everybody = fit_from_sums(each(statistics), LAYOUT, Calibrations())
    challengers = [*passing_members(statistics), stranger]
    assert trained(store, everybody, challengers).startswith(said)
    assert (LAYOUT in read_global_models(store)) == (said == "promoted")


def test_averaged_model_serves_until_the_summed_model_it_was_compared_with_is_replaced(
    store, statistics, sums
):
    """A comparison is valid only for the summed model that took part in it."""
    members = passing_members(statistics)
    averaged = to_bytes(replace(sums, bias=sums.bias + 1))
    everybody = fit_from_sums(each(statistics), LAYOUT, Calibrations())

    def train(one, run):
        return trained(store, one, members, UUID(int=run))

    def judge(one, run):
        said = {"recipe": REDUCED, "everybody": one.version, "metrics": asdict(compare([]))}
        promote_global(store, LAYOUT, averaged, said, **judging(store, UUID(int=run)))
        assert serving(store)[0] == REDUCED

    assert train(everybody, 1) == "promoted"
    assert serving(store)[0] == SUMS
    judge(everybody, 2)
    assert train(everybody, 3) == WAITS
    assert serving(store)[0] == REDUCED

    fewer = {user: one for user, one in statistics.items() if user != STRANGER}
    later = fit_from_sums(each(fewer), LAYOUT, Calibrations())
    before = serving(store, STATISTICS)
    assert train(later, 4) == "promoted"  # of fewer people: the one left out is in neither
    assert serving(store)[0] == SUMS
    assert serving(store, STATISTICS) != before

    judge(later, 5)
    promote_summed(store, LAYOUT, later, **judging(store, UUID(int=6)))
    assert serving(store)[0] == SUMS
    asyncio.run(Champions(store).rollback(ModelKey.of_global(LAYOUT, "exercise"), AT))
    assert serving(store)[0] == REDUCED


def test_unreadable_averaged_model_falls_back_to_the_summed_model(store, statistics, sums):
    members, everybody = (
        passing_members(statistics),
        fit_from_sums(each(statistics), LAYOUT, Calibrations()),
    )
    averaged = to_bytes(replace(sums, bias=sums.bias + 2))
    said = {"recipe": REDUCED, "everybody": everybody.version}
    promote_global(store, LAYOUT, averaged, said, **judging(store))
    _, version = serving(store)
    store.execute(
        "UPDATE models SET bytes = ? "
        "WHERE owner = ? AND model_id = ? AND family = 'exercise' AND version = ?",
        (b"of another release", GLOBAL_OWNER, LAYOUT, version),
    )
    assert trained(store, everybody, members) == "promoted"
    assert serving(store)[0] == SUMS


def test_global_model_does_not_replace_one_that_it_was_not_compared_with(store, statistics):
    """Another run, or an operator, moved the pointer while the model was learned."""
    members = passing_members(statistics)
    fewer = {user: one for user, one in statistics.items() if user != STRANGER}
    first, second = (
        fit_from_sums(each(one), LAYOUT, Calibrations()) for one in (fewer, statistics)
    )
    served = served_versions(store, FAMILIES)
    assert trained(store, first, members) == "promoted"
    before = serving(store), serving(store, STATISTICS)
    assert trained(store, second, members, served=served) == OVERTAKEN
    assert (serving(store), serving(store, STATISTICS)) == before
    assert trained(store, second, members) == "promoted"
    assert serving(store, STATISTICS) != before[1]


def test_old_statistics_go_with_the_next_ones(store, statistics):
    """Megabytes that every full run adds; what a pointer names is kept however old it is."""
    key = ModelKey.of_global(LAYOUT, STATISTICS)
    old, recent = (
        StoredModel.of(key, content, {}, UUID(int=1), AT - timedelta(days=days))
        for content, days in ((b"old", 91), (b"recent", 89))
    )
    for model in (old, recent):
        asyncio.run(Models(store).put(model))
    everybody = fit_from_sums(each(statistics), LAYOUT, Calibrations())
    trained(store, everybody, passing_members(statistics))
    kept = {version for version in (old.version, recent.version) if is_kept(store, key, version)}
    assert kept == {recent.version}
    assert is_kept(store, key, serving(store, STATISTICS)[1])


def is_kept(store, key, version):
    return asyncio.run(Models(store).manifest(key, version)) is not None


@pytest.mark.parametrize("takes_over", [True, False])
def test_comparison_with_sums_that_were_replaced_meanwhile_promotes_nothing(
    store, statistics, takes_over: bool
):
    members = passing_members(statistics)
    fewer = {user: one for user, one in statistics.items() if user != STRANGER}
    compared, newer = (
        fit_from_sums(each(one), LAYOUT, Calibrations()) for one in (fewer, statistics)
    )
    for one in (compared, newer):  # the second replaces what the experiment began with
        trained(store, one, members)
    before = serving(store)
    run = SimpleNamespace(
        metrics={},
        reasons=Counter(),
        status="done",
        run_id=uuid4(),
        started_at=AT,
        require_lease=lambda: None,
    )
    served = served_versions(store, ("exercise",))
    averaged = RecipeResult({}, to_bytes(compared.learned.model), promotable=True)
    hits = {str(n): takes_over for n in range(5)}
    others = {name: not hit for name, hit in hits.items()}
    comparison = compare([UserTrial("a", 5, hits, others, dict.fromkeys(hits, False))])
    assert comparison.takes_over == takes_over
    job = SimpleNamespace(database=store, run=run)
    assert _promote_winner(job, compared, averaged, comparison, {}, served).overtaken
    assert (run.status, run.reasons) == ("refused", {OVERTAKEN: 1})
    assert serving(store) == before
