"""Which global model serves: of the sums, or averaged, as far as it was compared with it."""

import asyncio
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from models.exercise.codec import to_bytes
from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.gate import compare
from pipelines.exercise.global_fit import fit_from_sums
from pipelines.exercise.global_models import (
    AVERAGED_RECIPE,
    STATISTICS,
    SUMS,
    WAITS,
    read_global_models,
)
from pipelines.exercise.promotion import ModelCandidate
from pipelines.experiments.promotion import promote_averaged, promote_summed
from pipelines.lifecycle.pointers import OVERTAKEN, served_versions
from schemas.layout import GLOBAL_OWNER
from store.champions import Champions
from store.models import ModelKey, Models, StoredModel
from tests.pipelines.global_sums import (
    AT,
    FAMILIES,
    STRANGER,
    each,
    judging,
    made_rungs,
    passing_members,
    serving,
    trained,
)
from tests.pipelines.people import LAYOUT


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
    third, said = uuid4(), {"recipe": AVERAGED_RECIPE}
    assert promote_averaged(store, averaged, said, **judging(store, third)).serves
    withdraw(third)
    again = promote_averaged(store, averaged, said, **judging(store))
    assert "was withdrawn" in again.reason
    assert serving(store)[0] == SUMS


@pytest.mark.parametrize(("right", "said"), [(4, "of people who are not in it"), (5, "promoted")])
def test_global_model_that_is_worse_for_users_outside_both_models_is_refused(
    store, statistics, right: int, said: str
):
    """Of nine sets that the incumbent names right, five lost are significant, four are not."""
    hits = {str(n): n < right for n in range(9)}
    wrong, former = dict.fromkeys(hits, False), dict.fromkeys(hits, True)
    rungs = made_rungs(everybody=hits, majority=wrong, former=former)
    stranger = ModelCandidate(uuid4(), LAYOUT, "v", b"", 16, rungs)
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
        said = {"recipe": AVERAGED_RECIPE, "everybody": one.version, "metrics": asdict(compare([]))}
        promote_averaged(store, averaged, said, **judging(store, UUID(int=run)))
        assert serving(store)[0] == AVERAGED_RECIPE

    assert train(everybody, 1) == "promoted"
    assert serving(store)[0] == SUMS
    judge(everybody, 2)
    assert train(everybody, 3) == WAITS
    assert serving(store)[0] == AVERAGED_RECIPE

    fewer = {user: one for user, one in statistics.items() if user != STRANGER}
    later = fit_from_sums(each(fewer), LAYOUT, Calibrations())
    before = serving(store, STATISTICS)
    assert train(later, 4) == "promoted"  # of fewer people: the one left out is in neither
    assert serving(store)[0] == SUMS
    assert serving(store, STATISTICS) != before

    judge(later, 5)
    promote_summed(store, later, **judging(store, UUID(int=6)))
    assert serving(store)[0] == SUMS
    asyncio.run(Champions(store).rollback(ModelKey.of_global(LAYOUT, "exercise"), AT))
    assert serving(store)[0] == AVERAGED_RECIPE


def test_unreadable_averaged_model_falls_back_to_the_summed_model(store, statistics, sums):
    members, everybody = (
        passing_members(statistics),
        fit_from_sums(each(statistics), LAYOUT, Calibrations()),
    )
    averaged = to_bytes(replace(sums, bias=sums.bias + 2))
    said = {"recipe": AVERAGED_RECIPE, "everybody": everybody.version}
    promote_averaged(store, averaged, said, **judging(store))
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
