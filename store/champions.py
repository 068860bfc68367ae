"""Which model serves an owner: a pointer moved by what was read, and runs that were taken back."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.errors import LostChampionRace, NoModel, UncertainWrite
from schemas.times import aware
from store.database import Database, Row

_CHAMPION = (
    "owner, model_id, family, version, sha256, run_id, previous_version, previous_run_id, "
    "promoted_at"
)
_KEY = "owner = ? AND model_id = ? AND family = ?"
_MOVE = (
    "UPDATE champions SET version = ?, sha256 = ?, run_id = ?, previous_version = ?, "
    f"previous_run_id = ?, promoted_at = ? WHERE {_KEY} IF version = ? AND run_id = ?"
)


class Challenger(NamedTuple):
    """A stored model that shall serve its owner."""

    owner: str
    model_id: str
    family: str
    version: str
    sha256: bytes
    run_id: UUID


class Champion(NamedTuple):
    """Which version serves an owner, and which one did before.

    An empty `version` says that the run retired what had served: nothing of the owner's own does.
    """

    owner: str
    model_id: str
    family: str
    version: str
    sha256: bytes
    run_id: UUID
    previous_version: str | None
    previous_run_id: UUID | None
    promoted_at: datetime


class Serving(NamedTuple):
    """The version that readers use, after withdrawn runs are taken out."""

    owner: str
    model_id: str
    family: str
    version: str
    run_id: UUID
    promoted_at: datetime


class Champions:
    """Rows of `champions` (conditional writes only) and `withdrawn_runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, owner: str, model_id: str, family: str) -> Champion | None:
        """The pointer as it stands, withdrawn or not."""
        rows = await self._database.run(
            f"SELECT {_CHAMPION} FROM champions WHERE {_KEY}", (owner, model_id, family)
        )
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

    async def serving(self, owner: str, model_id: str, family: str) -> Serving | None:
        """What readers use: the champion, or the one before it when its run was withdrawn."""
        champion = await self.read(owner, model_id, family)
        return None if champion is None else await self.in_effect(champion)

    async def in_effect(self, champion: Champion) -> Serving | None:
        """The champion, the one before it when its run was withdrawn.

        None when both were, and where a run retired the owner's model.
        """
        for version, run_id in _named(champion):
            if not await self.is_withdrawn(run_id):
                serving = Serving(*champion[:3], version, run_id, champion.promoted_at)
                return serving if version else None
        return None

    async def taken_back(self, champion: Champion, version: str) -> UUID | None:
        """The run with which a version was taken back; None when the pointer knows of none."""
        for named, run_id in _named(champion):
            if named == version and await self.is_withdrawn(run_id):
                return run_id
        return None

    async def promote(
        self, challenger: Challenger, incumbent: Champion | None, at: datetime
    ) -> Champion:
        """Let a challenger serve, if the pointer still is what was read.

        Raises:
            LostChampionRace: it is not; read again and judge again.
        """
        key = challenger[:3]
        before = None if incumbent is None else await self.in_effect(incumbent)
        if before is not None and before.version == challenger.version:
            before = None if incumbent is None else _before(incumbent)
        promoted = Champion(
            *challenger,
            before.version if before else None,
            before.run_id if before else None,
            at,
        )
        if incumbent is None:
            cql = (
                f"INSERT INTO champions ({_CHAMPION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "IF NOT EXISTS"
            )
            await self._move(cql, tuple(promoted), promoted)
        else:
            condition = (incumbent.version, incumbent.run_id)
            await self._move(_MOVE, (*promoted[3:], *key, *condition), promoted)
        return promoted

    async def rollback(self, owner: str, model_id: str, family: str, at: datetime) -> Champion:
        """Let the version before the champion serve again.

        Raises:
            NoModel: there is no champion, none before it, or that one was taken back.
            LostChampionRace: the pointer moved meanwhile.
        """
        champion = await self.read(owner, model_id, family)
        if champion is None or champion.previous_version is None:
            raise NoModel(f"{owner} has no earlier {family} model for {model_id} to go back to.")
        rows = await self._database.run(
            f"SELECT sha256, run_id FROM models WHERE {_KEY} AND version = ?",
            (owner, model_id, family, champion.previous_version),
        )
        if not rows:
            raise NoModel(f"Version {champion.previous_version} of {owner} is not kept any more.")
        run_id = champion.previous_run_id or rows[0].run_id
        if await self.is_withdrawn(run_id):
            raise NoModel(f"Version {champion.previous_version} was taken back with run {run_id}.")
        target = Champion(
            *champion[:3],
            champion.previous_version,
            rows[0].sha256,
            run_id,
            None,
            None,
            at,
        )
        values = (*target[3:], *champion[:3], champion.version, champion.run_id)
        await self._move(_MOVE, values, target)
        return target

    async def retire(
        self, owner: str, model_id: str, family: str, run_id: UUID, at: datetime
    ) -> str | None:
        """Let nothing of an owner's own serve any more, as a run found.

        What served is the version before: a rollback, or the withdrawal of the run, brings it back.

        Returns:
            the version that served; None where none did, and nothing changes.

        Raises:
            LostChampionRace: the pointer moved meanwhile.
        """
        champion = await self.read(owner, model_id, family)
        serving = None if champion is None else await self.in_effect(champion)
        if champion is None or serving is None:
            return None
        target = Champion(*champion[:3], "", b"", run_id, serving.version, serving.run_id, at)
        values = (*target[3:], *champion[:3], champion.version, champion.run_id)
        await self._move(_MOVE, values, target)
        return serving.version

    async def remove(self, owner: str, model_id: str, family: str) -> None:
        """Let nothing serve any more (erasure)."""
        await self._database.applied(
            f"DELETE FROM champions WHERE {_KEY} IF EXISTS", (owner, model_id, family)
        )

    async def withdraw(self, run_id: UUID, reason: str, at: datetime) -> None:
        """Take back everything a run promoted: readers fall back to what was before."""
        await self._database.run(
            "INSERT INTO withdrawn_runs (run_id, reason, withdrawn_at) VALUES (?, ?, ?)",
            (run_id, reason, at),
        )

    async def withdrawn(self) -> list[UUID]:
        """Every run that was taken back, the newest first."""
        rows = await self._database.run("SELECT run_id FROM withdrawn_runs")
        return sorted((row.run_id for row in rows), reverse=True)

    async def is_withdrawn(self, run_id: UUID) -> bool:
        """Whether a run was taken back."""
        rows = await self._database.run(
            "SELECT run_id FROM withdrawn_runs WHERE run_id = ?", (run_id,)
        )
        return bool(rows)

    async def _move(self, cql: str, values: tuple[object, ...], target: Champion) -> None:
        try:
            won = await self._database.applied(cql, values)
        except UncertainWrite:  # the same condition again also completes what was begun
            won = await self._database.applied(cql, values)
        if won:
            return
        now = await self.read(*target[:3])
        if now is None or (now.version, now.run_id) != (target.version, target.run_id):
            raise LostChampionRace(
                f"{target.owner} {target.model_id} {target.family} was promoted by somebody else."
            )


def _named(champion: Champion) -> list[tuple[str, UUID]]:
    """The versions that a pointer names with the runs that let them serve, the newest first."""
    both = (
        (champion.version, champion.run_id),
        (champion.previous_version, champion.previous_run_id),
    )
    return [(version, run_id) for version, run_id in both if version is not None and run_id]


def _before(champion: Champion) -> Serving | None:
    if champion.previous_version is None or champion.previous_run_id is None:
        return None
    return Serving(
        *champion[:3],
        champion.previous_version,
        champion.previous_run_id,
        champion.promoted_at,
    )


def _champion(row: Row) -> Champion:
    return Champion(*row)._replace(promoted_at=aware(row.promoted_at))
