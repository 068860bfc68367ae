"""Rollbacks: which version a pointer goes back to, and which it remembers as rolled back."""

import uuid

import pytest

from schemas.errors import NoModel
from store.champions import MAX_ROLLED_BACK, Champions
from store.database import Database
from store.models import Models, StoredModel
from store.pointers import Challenger
from tests.store.stored_models import NOW, a_model, an_owner


async def test_rollback_restores_the_previous_champion_and_stops_at_the_first(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    first, second = a_model(owner, b"first"), a_model(owner, b"second")
    with pytest.raises(NoModel):
        await champions.rollback(first.key, NOW)
    await models.put(first)
    await models.put(second)
    one = await champions.promote(Challenger.of(first), None, NOW)
    await champions.promote(Challenger.of(second), one, NOW)
    back = await champions.rollback(first.key, NOW)
    assert (back.version, back.sha256, back.run_id) == (*first[3:4], first.sha256, first.run_id)
    assert await champions.read(first.key) == back
    with pytest.raises(NoModel):
        await champions.rollback(first.key, NOW)


async def test_rollback_to_a_withdrawn_run_is_refused(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    first, second = a_model(owner, b"first"), a_model(owner, b"second")
    await models.put(first)
    await models.put(second)
    one = await champions.promote(Challenger.of(first), None, NOW)
    await champions.promote(Challenger.of(second), one, NOW)
    await champions.withdraw(first.run_id, "a bad night", NOW)
    with pytest.raises(NoModel, match="was withdrawn"):
        await champions.rollback(first.key, NOW)
    serving = await champions.serving(first.key)
    assert serving is not None
    assert serving.version == second.version


async def test_rollback_goes_back_from_what_serves_after_a_withdrawal(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    nights = [a_model(owner, b"%d" % night) for night in range(3)]
    key, versions = nights[0].key, [night.version for night in nights]
    for night in nights:
        await models.put(night)
        await champions.promote(Challenger.of(night), await champions.read(key), NOW)
    await champions.withdraw(nights[2].run_id, "a bad night", NOW)
    serving = await champions.serving(key)
    assert serving is not None
    assert serving.version == versions[1]
    back = await champions.rollback(key, NOW)
    assert (back.version, back.rolled_back) == (versions[0], (versions[2], versions[1]))
    with pytest.raises(NoModel, match="no earlier"):
        await champions.rollback(key, NOW)


async def test_two_rollbacks_go_back_two_versions(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    nights = [a_model(owner, b"%d" % night) for night in range(3)]
    key = nights[0].key
    for night in nights:
        await models.put(night)
        await champions.promote(Challenger.of(night), await champions.read(key), NOW)
    assert (await champions.rollback(key, NOW)).version == nights[1].version
    assert (await champions.rollback(key, NOW)).version == nights[0].version
    with pytest.raises(NoModel, match="no earlier"):
        await champions.rollback(key, NOW)


async def test_rolled_back_version_is_remembered_until_it_is_promoted(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    first, second, third = (a_model(owner, word) for word in (b"first", b"second", b"third"))
    key = first.key

    async def rolled_back() -> tuple[str, ...]:
        champion = await champions.read(key)
        assert champion is not None
        return champion.rolled_back

    async def promote(model: StoredModel) -> None:
        await models.put(model)
        await champions.promote(Challenger.of(model), await champions.read(key), NOW)

    for model in (first, second, third):
        await promote(model)
        assert await rolled_back() == ()
    await champions.rollback(key, NOW)
    assert await rolled_back() == (third.version,)
    await champions.rollback(key, NOW)
    assert await rolled_back() == (second.version, third.version)
    await champions.retire(key, uuid.uuid4(), NOW)
    await champions.rollback(key, NOW)  # a retirement is no version
    assert await rolled_back() == (second.version, third.version)
    await promote(second)
    assert await rolled_back() == (third.version,)


async def test_rollback_remembers_the_withdrawn_versions_that_it_passes_over(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    nights = [a_model(owner, b"%d" % night) for night in range(MAX_ROLLED_BACK + 2)]
    key = nights[0].key
    versions = [night.version for night in nights]
    for night in nights:
        await models.put(night)
        await champions.promote(Challenger.of(night), await champions.read(key), NOW)
    await champions.withdraw(nights[-2].run_id, "a bad night", NOW)
    back = await champions.rollback(key, NOW)
    assert back.rolled_back == tuple(versions[:-3:-1])
    for night in (nights[-1], nights[-2]):  # again, and again rolled back
        await champions.promote(Challenger.of(night), await champions.read(key), NOW)
    for _ in range(MAX_ROLLED_BACK - 2):
        back = await champions.rollback(key, NOW)
    assert len(back.rolled_back) <= MAX_ROLLED_BACK
    assert not {back.version, back.previous_version} & set(back.rolled_back)
