"""Models: immutable bytes with their manifest, and the pointer to the one that serves."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.errors import LostChampionRace, NoModel, UncertainWrite
from schemas.times import aware
from store.database import Database, Row

_MODEL = "owner, model_id, family, version, bytes, manifest, sha256, run_id, created_at"
_CHAMPION = (
    "owner, model_id, family, version, sha256, run_id, previous_version, previous_run_id, "
    "promoted_at"
)
_KEY = "owner = ? AND model_id = ? AND family = ?"
_MOVE = (
    "UPDATE champions SET version = ?, sha256 = ?, run_id = ?, previous_version = ?, "
    f"previous_run_id = ?, promoted_at = ? WHERE {_KEY} IF version = ? AND run_id = ?"
)
VERSION_LENGTH = 16


class StoredModel(NamedTuple):
    """A model as it is kept.

    Attributes:
        owner: `u:<uuid>`, `c:<run>:<k>` or `global`.
        model_id: the layout of its input, `wrist-acc3` or `wrist-acc6`.
        version: the start of the hash of `content`.
        content: the bytes of `models/<family>/codec.py`.
        manifest: labels, metrics, cut-off, digests, golden vectors.
    """

    owner: str
    model_id: str
    family: str
    version: str
    content: bytes
    manifest: Mapping[str, object]
    sha256: bytes
    run_id: UUID
    created_at: datetime


class Challenger(NamedTuple):
    """A stored model that shall serve its owner."""

    owner: str
    model_id: str
    family: str
    version: str
    sha256: bytes
    run_id: UUID


class Champion(NamedTuple):
    """Which version serves an owner, and which one did before."""

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


class Models:
    """Rows of `models`: written once, never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, model: StoredModel) -> None:
        """Keep a model; the same bytes again change nothing but its run."""
        await self._database.run(
            f"INSERT INTO models ({_MODEL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            model._replace(manifest=json.dumps(model.manifest, sort_keys=True)),
        )

    async def get(self, owner: str, model_id: str, family: str, version: str) -> StoredModel:
        """One model with its bytes.

        Raises:
            NoModel: it is not there.
        """
        rows = await self._database.run(
            f"SELECT {_MODEL} FROM models WHERE {_KEY} AND version = ?",
            (owner, model_id, family, version),
        )
        if not rows:
            raise NoModel(f"There is no version {version} of {family} for {owner}, {model_id}.")
        return _model(rows[0])

    async def manifest(
        self, owner: str, model_id: str, family: str, version: str
    ) -> dict[str, object] | None:
        """What is known of a model, without its bytes; None when it is not there."""
        rows = await self._database.run(
            f"SELECT manifest FROM models WHERE {_KEY} AND version = ?",
            (owner, model_id, family, version),
        )
        return json.loads(rows[0].manifest) if rows else None

    async def versions(self, owner: str, model_id: str, family: str) -> list[StoredModel]:
        """All versions, newest first, without their bytes."""
        rows = await self._database.run(
            "SELECT owner, model_id, family, version, manifest, sha256, run_id, created_at "
            f"FROM models WHERE {_KEY}",
            (owner, model_id, family),
        )
        return sorted((_model(row) for row in rows), key=lambda m: m.created_at, reverse=True)

    async def erase(self, owner: str, model_id: str, family: str) -> None:
        """Delete all versions of an owner's model."""
        await self._database.run(f"DELETE FROM models WHERE {_KEY}", (owner, model_id, family))


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
        """The champion, the one before it when its run was withdrawn, None when both were."""
        for version, run_id in _named(champion):
            if not await self.is_withdrawn(run_id):
                return Serving(*champion[:3], version, run_id, champion.promoted_at)
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


def version_of(sha256: bytes) -> str:
    """The version of a model: the start of the hash of its bytes.

    >>> version_of(bytes(32))
    '0000000000000000'
    """
    return sha256.hex()[:VERSION_LENGTH]


def _named(champion: Champion) -> list[tuple[str, UUID]]:
    """The versions that a pointer names with the runs that let them serve, the newest first."""
    both = (
        (champion.version, champion.run_id),
        (champion.previous_version, champion.previous_run_id),
    )
    return [(version, run_id) for version, run_id in both if version and run_id]


def _before(champion: Champion) -> Serving | None:
    if champion.previous_version is None or champion.previous_run_id is None:
        return None
    return Serving(
        *champion[:3],
        champion.previous_version,
        champion.previous_run_id,
        champion.promoted_at,
    )


def _model(row: Row) -> StoredModel:
    return StoredModel(
        row.owner,
        row.model_id,
        row.family,
        row.version,
        getattr(row, "bytes", b""),
        json.loads(row.manifest),
        row.sha256,
        row.run_id,
        aware(row.created_at),
    )


def _champion(row: Row) -> Champion:
    return Champion(*row)._replace(promoted_at=aware(row.promoted_at))
