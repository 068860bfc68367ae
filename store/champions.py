"""Moves the pointers to the models that serve, by compare-and-set, and withdraws runs."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from schemas.errors import LostChampionRace, NoModel
from schemas.times import aware
from store.database import Database, Row
from store.models import ModelKey
from store.pointers import Challenger, Champion, Promotion, ServingVersion

_CHAMPION = (
    "owner, model_id, family, version, sha256, run_id, previous_version, previous_run_id, "
    "promoted_at, earlier, rolled_back"
)
_KEY = "owner = ? AND model_id = ? AND family = ?"
_MOVE = (
    "UPDATE champions SET version = ?, sha256 = ?, run_id = ?, previous_version = ?, "
    "previous_run_id = ?, promoted_at = ?, earlier = ?, rolled_back = ? "
    f"WHERE {_KEY} IF version = ? AND run_id = ?"
)
MAX_EARLIER = 6
"""Earlier promotions that a pointer remembers: with the champion and the one before it eight, so
that a week of bad nightly runs can be undone."""
MAX_ROLLED_BACK = MAX_EARLIER + 2
"""Versions that a pointer remembers as rolled back: as many as one rollback can pass over."""


class Champions:
    """Rows of `champions` (conditional writes only) and `withdrawn_runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, key: ModelKey) -> Champion | None:
        """The stored pointer, whether or not its run was withdrawn."""
        rows = await self._database.run(f"SELECT {_CHAMPION} FROM champions WHERE {_KEY}", key)
        return _champion(rows[0]) if rows else None

    async def owners_of(self, family: str) -> list[tuple[str, str]]:
        """Every (owner, layout) that has a pointer of a family. Reads all pointers."""
        rows = await self._database.run(
            "SELECT owner, model_id FROM champions WHERE family = ? ALLOW FILTERING", (family,)
        )
        return [(row.owner, row.model_id) for row in rows]

    async def of_owner(self, owner: str) -> list[Champion]:
        """All pointers of an owner."""
        rows = await self._database.run(
            f"SELECT {_CHAMPION} FROM champions WHERE owner = ?", (owner,)
        )
        return [_champion(row) for row in rows]

    async def serving(self, key: ModelKey) -> ServingVersion | None:
        """The champion, or the newest version before it whose run is not withdrawn."""
        champion = await self.read(key)
        return None if champion is None else await self.in_effect(champion)

    async def in_effect(self, champion: Champion) -> ServingVersion | None:
        """The champion, or the newest before it whose run was not withdrawn.

        None when all were, and where a run retired the owner's model.
        """
        promotion = await self._first_not_withdrawn(champion.promotions)
        if promotion is None or promotion.retires:
            return None
        return ServingVersion(*champion.key, *promotion, champion.promoted_at)

    async def withdrawn_run_of(self, champion: Champion, version: str) -> UUID | None:
        """The withdrawn run that promoted a version; None when the pointer names none."""
        for promoted, run_id in champion.promotions:
            if promoted == version and await self.is_withdrawn(run_id):
                return run_id
        return None

    async def promote(
        self, challenger: Challenger, incumbent: Champion | None, at: datetime
    ) -> Champion:
        """Make a challenger the champion, if the pointer still is what was read.

        A version that had been rolled back is not remembered as such any more.

        Raises:
            LostChampionRace: it is not; read the pointer and compare the models again.
        """
        promotions = [] if incumbent is None else incumbent.promotions
        earlier_promotions = [
            promotion for promotion in promotions if promotion.version != challenger.version
        ]
        rolled_back = () if incumbent is None else incumbent.rolled_back
        promoted = await self._pointer_to(earlier_promotions, challenger, at, rolled_back)
        if incumbent is None:
            markers = ", ".join("?" * len(promoted))
            cql = f"INSERT INTO champions ({_CHAMPION}) VALUES ({markers}) IF NOT EXISTS"
            await self._move(cql, tuple(promoted), promoted)
        else:
            await self._replace(incumbent, promoted)
        return promoted

    async def rollback(self, key: ModelKey, at: datetime) -> Champion:
        """Go back to the newest version before the one in effect whose run was not withdrawn.

        Another version serves than before: where the champion's run was withdrawn, and what came
        before it serves, the rollback goes back from that. The pointer remembers the versions after
        the new one as rolled back: a run that learns the same bytes again must not undo what an
        operator decided.

        Raises:
            NoModel: there is no champion, none before what is in effect, or all were withdrawn.
            LostChampionRace: the pointer moved meanwhile.
        """
        champion = await self.read(key)
        promotions = [] if champion is None else champion.promotions
        in_effect = await self._first_not_withdrawn(promotions)
        after = 1 if in_effect is None else promotions.index(in_effect) + 1
        models = [promotion for promotion in promotions[after:] if not promotion.retires]
        if champion is None or not models:
            raise NoModel(
                f"{key.owner} has no earlier {key.family} model for {key.model_id} to go back to."
            )
        promotion = await self._first_not_withdrawn(models)
        if promotion is None:
            version, run_id = models[0]
            raise NoModel(f"Version {version} was withdrawn with run {run_id}.")
        version, run_id = promotion
        rows = await self._database.run(
            f"SELECT sha256 FROM models WHERE {_KEY} AND version = ?", (*key, version)
        )
        if not rows or rows[0].sha256 is None:
            raise NoModel(f"Version {version} of {key.owner} is not kept any more.")
        back = Challenger(*key, version, rows[0].sha256, run_id)
        place = promotions.index(promotion, after)
        passed_over = [passed.version for passed in promotions[:place] if not passed.retires]
        rolled_back = (*passed_over, *champion.rolled_back)
        target = await self._pointer_to(promotions[place + 1 :], back, at, rolled_back)
        await self._replace(champion, target)
        return target

    async def retire(self, key: ModelKey, run_id: UUID, at: datetime) -> str | None:
        """Stop serving an owner's model, as a run decided; the owner may be `global`.

        The model becomes the previous version, so a rollback, or the withdrawal of the run,
        restores it.

        Returns:
            the version that served; None where none did, and nothing changes.

        Raises:
            LostChampionRace: the pointer moved meanwhile.
        """
        champion = await self.read(key)
        serving = None if champion is None else await self.in_effect(champion)
        if champion is None or serving is None:
            return None
        no_model = Challenger(*key, "", b"", run_id)
        target = await self._pointer_to(champion.promotions, no_model, at, champion.rolled_back)
        await self._replace(champion, target)
        return serving.version

    async def remove(self, key: ModelKey) -> None:
        """Delete the pointer (erasure)."""
        await self._database.applied(f"DELETE FROM champions WHERE {_KEY} IF EXISTS", key)

    async def withdraw(self, run_id: UUID, reason: str, at: datetime) -> None:
        """Withdraw everything that a run promoted: readers fall back to what served before."""
        await self._database.run(
            "INSERT INTO withdrawn_runs (run_id, reason, withdrawn_at) VALUES (?, ?, ?)",
            (run_id, reason, at),
        )

    async def withdrawn(self) -> list[UUID]:
        """Every withdrawn run, newest first."""
        rows = await self._database.run("SELECT run_id FROM withdrawn_runs")
        return sorted((row.run_id for row in rows), reverse=True)

    async def is_withdrawn(self, run_id: UUID) -> bool:
        """Whether a run was withdrawn."""
        rows = await self._database.run(
            "SELECT run_id FROM withdrawn_runs WHERE run_id = ?", (run_id,)
        )
        return bool(rows)

    async def _first_not_withdrawn(self, promotions: Sequence[Promotion]) -> Promotion | None:
        """The first promotion whose run was not withdrawn."""
        for promotion in promotions:
            if not await self.is_withdrawn(promotion.run_id):
                return promotion
        return None

    async def _pointer_to(
        self,
        earlier_promotions: Sequence[Promotion],
        challenger: Challenger,
        at: datetime,
        rolled_back: Sequence[str],
    ) -> Champion:
        """A pointer to a challenger, with the promotions that it can fall back to.

        Args:
            earlier_promotions: newest first.
            challenger: what it leads to.
            at: now.
            rolled_back: versions, the last one first; the challenger's is dropped.
        """
        newest = await self._first_not_withdrawn(earlier_promotions)
        previous = (None, None) if newest is None or newest.retires else newest
        rest = tuple(promotion for promotion in earlier_promotions if promotion != previous)
        others = tuple(version for version in rolled_back if version != challenger.version)
        return Champion(*challenger, *previous, at, rest[:MAX_EARLIER], others[:MAX_ROLLED_BACK])

    async def _replace(self, current: Champion, target: Champion) -> None:
        """Move a pointer from what was read to a target of the same key.

        Raises:
            LostChampionRace: the pointer is not what was read.
        """
        columns = target[len(target.key) :]
        values = (*columns, *target.key, current.version, current.run_id)
        await self._move(_MOVE, values, target)

    async def _move(self, cql: str, values: tuple[object, ...], target: Champion) -> None:
        if await self._database.applied(cql, values):
            return
        now = await self.read(target.key)  # an uncertain write may have won, and its repeat lost
        if now is None or (now.version, now.run_id) != (target.version, target.run_id):
            raise LostChampionRace(
                f"{target.owner} {target.model_id} {target.family} was promoted by somebody else."
            )


def _champion(row: Row) -> Champion:
    return Champion(*row)._replace(
        promoted_at=aware(row.promoted_at),
        earlier=tuple(Promotion(version, run_id) for version, run_id in row.earlier or ()),
        rolled_back=tuple(row.rolled_back or ()),
    )
