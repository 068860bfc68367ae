"""Which model serves its owner: promotion, retirement, and runs that were withdrawn."""

import asyncio
import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import LostChampionRace, NoModel
from store.champions import MAX_EARLIER, Champions
from store.database import Database
from store.models import ModelKey, Models
from store.pointers import Challenger, Champion
from tests.store.stored_models import NOW, a_model, an_owner


async def test_promotion_keeps_the_previous_version_and_refuses_stale_pointers(database: Database):
    champions, owner = Champions(database), an_owner()
    first, second = a_model(owner, b"first"), a_model(owner, b"second")
    assert await champions.read(first.key) is None
    one = await champions.promote(Challenger.of(first), None, NOW)
    two = await champions.promote(Challenger.of(second), one, NOW)
    assert await champions.read(first.key) == two
    assert (two.version, two.previous_version) == (second.version, first.version)
    assert two.previous_run_id == first.run_id
    with pytest.raises(LostChampionRace):
        await champions.promote(Challenger.of(a_model(owner, b"late")), one, NOW)
    with pytest.raises(LostChampionRace):
        await champions.promote(Challenger.of(a_model(owner, b"later")), None, NOW)
    assert await champions.of_owner(owner) == [two]


async def test_one_of_several_concurrent_promotions_wins(database: Database):
    champions, owner = Champions(database), an_owner()
    rivals = [a_model(owner, b"%d" % number) for number in range(6)]
    results = await asyncio.gather(
        *(champions.promote(Challenger.of(rival), None, NOW) for rival in rivals),
        return_exceptions=True,
    )
    won = [result for result in results if isinstance(result, Champion)]
    assert len(won) == 1
    assert await champions.read(rivals[0].key) == won[0]


async def test_retired_champion_is_restored_by_withdrawal_or_rollback(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    first, second = a_model(owner, b"first"), a_model(owner, b"second")
    key, runs = first.key, [uuid.uuid4() for _ in range(3)]

    async def serves() -> str | None:
        serving = await champions.serving(key)
        return serving.version if serving else None

    assert await champions.retire(key, runs[0], NOW) is None  # there is nothing to retire
    assert await champions.read(key) is None
    await models.put(first)
    one = await champions.promote(Challenger.of(first), None, NOW)
    assert await champions.retire(key, runs[0], NOW) == first.version
    assert await serves() is None
    assert await champions.retire(key, runs[1], NOW) is None
    with pytest.raises(LostChampionRace):
        await champions.promote(Challenger.of(second), one, NOW)

    await champions.withdraw(runs[0], "by mistake", NOW)
    assert await serves() == first.version
    assert await champions.retire(key, runs[1], NOW) == first.version
    assert (await champions.rollback(key, NOW)).version == first.version
    assert await champions.retire(key, runs[2], NOW) == first.version

    retired = await champions.read(key)
    two = await champions.promote(Challenger.of(second), retired, NOW)
    assert two.previous_version is None  # it had been retired
    assert (owner, "wrist-acc6") in await champions.owners_of("exercise")
    assert (owner, "wrist-acc6") not in await champions.owners_of("form")


async def test_withdrawn_run_falls_back_and_is_skipped_by_the_next_promotion(database: Database):
    champions, owner = Champions(database), an_owner()
    good, bad, better = (a_model(owner, word) for word in (b"good", b"bad", b"better"))
    one = await champions.promote(Challenger.of(good), None, NOW)
    two = await champions.promote(Challenger.of(bad), one, NOW)
    await champions.withdraw(bad.run_id, "a bad night", NOW)
    serving = await champions.serving(good.key)
    assert serving is not None
    assert serving.version == good.version
    three = await champions.promote(Challenger.of(better), two, NOW)
    assert three.previous_version == good.version  # not the withdrawn one
    await champions.withdraw(better.run_id, "again", NOW)
    serving = await champions.serving(good.key)
    assert serving is not None
    assert serving.version == good.version
    await champions.withdraw(good.run_id, "all of it", NOW)
    assert await champions.serving(good.key) is None


async def test_withdrawing_two_runs_restores_the_champion_before_both(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    nights = [a_model(owner, b"%d" % night) for night in range(4)]
    key = nights[0].key

    async def serves() -> str | None:
        serving = await champions.serving(key)
        return serving.version if serving else None

    for night in nights[:3]:
        await models.put(night)
        await champions.promote(Challenger.of(night), await champions.read(key), NOW)
    for bad in (2, 1):
        await champions.withdraw(nights[bad].run_id, "a bad night", NOW)
    assert await serves() == nights[0].version
    read = await champions.read(key)
    assert read is not None
    for bad in (2, 1):
        assert await champions.withdrawn_run_of(read, nights[bad].version) == nights[bad].run_id

    after = await champions.promote(Challenger.of(nights[3]), read, NOW)
    assert after.previous_version == nights[0].version
    await champions.withdraw(nights[3].run_id, "one more", NOW)
    assert await serves() == nights[0].version
    with pytest.raises(NoModel, match="was withdrawn"):  # nothing else is left
        await champions.rollback(key, NOW)
    assert await serves() == nights[0].version


async def test_earlier_versions_of_a_champion_are_limited(database: Database):
    champions, owner = Champions(database), an_owner()
    models = [a_model(owner, b"%d" % night) for night in range(2 * MAX_EARLIER)]
    for model in models:
        await champions.promote(Challenger.of(model), await champions.read(model.key), NOW)
    kept = await champions.read(models[0].key)
    assert kept is not None
    newest = [(model.version, model.run_id) for model in models[::-1]]
    assert kept.earlier == tuple(newest[2 : 2 + MAX_EARLIER])


class PromotionHistory:
    """An owner's promotions as a plain list, newest last.

    A rollback drops its end, up to and with what is in effect.
    """

    def __init__(self, database: Database) -> None:
        self.champions, self.models = Champions(database), Models(database)
        self.key = ModelKey(an_owner(), "wrist-acc6", "exercise")
        self.promoted: list[tuple[str, uuid.UUID]] = []
        self.withdrawn: set[uuid.UUID] = set()
        self.rolled_back: set[str] = set()

    def stands(self, promotion: tuple[str, uuid.UUID]) -> bool:
        return promotion[1] not in self.withdrawn

    def serves(self) -> tuple[str, uuid.UUID] | None:
        newest = next(filter(self.stands, reversed(self.promoted)), None)
        return newest if newest and newest[0] else None

    async def promote(self, content: bytes) -> None:
        model = a_model(self.key.owner, content)
        await self.models.put(model)
        incumbent = await self.champions.read(self.key)
        await self.champions.promote(Challenger.of(model), incumbent, NOW)
        self.promoted = [(v, r) for v, r in self.promoted if v != model.version]
        self.promoted.append((model.version, model.run_id))
        self.rolled_back.discard(model.version)

    async def withdraw(self) -> None:
        if self.promoted:
            _, run_id = self.promoted[-1]
            await self.champions.withdraw(run_id, "bad", NOW)
            self.withdrawn.add(run_id)

    async def retire(self) -> None:
        run_id, serving = uuid.uuid4(), self.serves()
        retired = await self.champions.retire(self.key, run_id, NOW)
        assert retired == (serving[0] if serving else None)
        if serving:
            self.promoted.append(("", run_id))

    async def roll_back(self) -> None:
        standing, before = [p for p in self.promoted if self.stands(p)], self.serves()
        earlier = [p for p in standing[:-1] if p[0]]
        if not earlier:
            with pytest.raises(NoModel):
                await self.champions.rollback(self.key, NOW)
            return
        back = await self.champions.rollback(self.key, NOW)
        assert before is None or back.version != before[0], "another version serves"
        place = self.promoted.index(earlier[-1])
        self.rolled_back |= {version for version, _ in self.promoted[place + 1 :] if version}
        del self.promoted[place + 1 :]

    async def check(self) -> None:
        serving = await self.champions.serving(self.key)
        assert ((serving.version, serving.run_id) if serving else None) == self.serves()
        champion = await self.champions.read(self.key)
        if champion is not None:
            assert (champion.version, champion.run_id) == self.promoted[-1]
            assert set(champion.rolled_back) == self.rolled_back


STEPS = ("promote", "same", "withdraw", "retire", "rollback")


@given(st.lists(st.sampled_from(STEPS), max_size=8))
@example(["promote", "promote", "withdraw", "rollback"])
@example(["promote", "promote", "promote", "withdraw", "rollback", "rollback"])
@settings(max_examples=20, deadline=None)
def test_serving_model_is_the_newest_of_a_run_not_withdrawn(database: Database, steps: list[str]):
    history = PromotionHistory(database)

    async def take(step: str, number: int) -> None:
        match step:
            case "promote":
                await history.promote(b"%d" % number)
            case "same":
                await history.promote(b"same")
            case "withdraw":
                await history.withdraw()
            case "retire":
                await history.retire()
            case _:
                await history.roll_back()

    async def life() -> None:
        for number, step in enumerate(steps):
            await take(step, number)
            await history.check()

    asyncio.run(life())
