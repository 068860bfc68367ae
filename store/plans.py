"""Projections of plans: the current version, and all earlier ones."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from store.database import Database, Row

_COLUMNS = "plan_id, name, sets, revision"
_VERSIONS = f"SELECT {_COLUMNS} FROM plan_versions WHERE user_id = ? AND plan_id = ?"
_UNTIL = "AND revision <= ? ORDER BY plan_id DESC, revision DESC LIMIT 1"
_AFTER = "AND revision > ? LIMIT 1"
PlannedSets = Sequence[Mapping[str, object]]


class Plan(NamedTuple):
    """A plan; `revision` is the time of its event in microseconds."""

    plan_id: UUID
    name: str
    sets: PlannedSets
    revision: int


class PlanVersion(NamedTuple):
    """A version of a plan; `plan` is None for its deletion."""

    revision: int
    plan: Plan | None


class Plans:
    """Rows of `plans` and `plan_versions`, at the time of their events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: UUID, plan: Plan) -> None:
        """Project an event of a plan; the newest version is the current one."""
        sets = json.dumps(list(plan.sets), sort_keys=True)  # as the journal has them
        values = (plan.plan_id, plan.name, sets, plan.revision)
        for table in ("plan_versions", "plans"):  # a plan that is listed has its version
            await self._database.run(
                f"INSERT INTO {table} (user_id, {_COLUMNS}) "
                "VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
                (user_id, *values, plan.revision),
            )

    async def delete(self, user_id: UUID, plan_id: UUID, at_us: int) -> None:
        """Project a deletion: sessions that followed the plan still need its versions."""
        await self._database.run(
            "INSERT INTO plan_versions (user_id, plan_id, revision) VALUES (?, ?, ?) "
            "USING TIMESTAMP ?",
            (user_id, plan_id, at_us, at_us),
        )
        await self._database.run(
            "DELETE FROM plans USING TIMESTAMP ? WHERE user_id = ? AND plan_id = ?",
            (at_us, user_id, plan_id),
        )

    async def read(self, user_id: UUID, plan_id: UUID) -> Plan | None:
        """One plan as it is now, or None."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM plans WHERE user_id = ? AND plan_id = ?",
            (user_id, plan_id),
        )
        return _plan(rows[0]) if rows else None

    async def of_user(self, user_id: UUID) -> list[Plan]:
        """All plans of a user as they are now."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM plans WHERE user_id = ?", (user_id,)
        )
        return [_plan(row) for row in rows]

    async def page(self, user_id: UUID, after: UUID | None, limit: int) -> list[Plan]:
        """A user's plans as they are now, by id and so oldest first, those after a given one."""
        where, values = ("AND plan_id > ? ", (after,)) if after else ("", ())
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM plans WHERE user_id = ? {where}LIMIT ?",
            (user_id, *values, limit),
        )
        return [_plan(row) for row in rows]

    async def followed(self, user_id: UUID, plan_id: UUID, at_us: int) -> PlanVersion | None:
        """The version that a session follows which begins at `at_us`; None where none is kept.

        The newest one by then; of a younger plan the first. Deletions do not count. The others are
        not read: a plan may be changed after each workout of years.
        """
        found = await self._kept(user_id, plan_id, _UNTIL, at_us)
        return found or await self._kept(user_id, plan_id, _AFTER, at_us)

    async def _kept(
        self, user_id: UUID, plan_id: UUID, nearest: str, at_us: int
    ) -> PlanVersion | None:
        """The version nearest to a time on one side of it that is no deletion; None if none is."""
        while rows := await self._database.run(f"{_VERSIONS} {nearest}", (user_id, plan_id, at_us)):
            version = _version(rows[0])
            if version.plan is not None:
                return version
            at_us = version.revision if nearest == _AFTER else version.revision - 1
        return None

    async def newest(self, user_id: UUID, plan_id: UUID) -> PlanVersion | None:
        """The newest version of a plan, without reading the others; None if there are none."""
        newest_first = f"{_VERSIONS} ORDER BY plan_id DESC, revision DESC LIMIT 1"
        rows = await self._database.run(newest_first, (user_id, plan_id))
        return _version(rows[0]) if rows else None


def _version(row: Row) -> PlanVersion:
    return PlanVersion(row.revision, None if row.sets is None else _plan(row))


def _plan(row: Row) -> Plan:
    return Plan(row.plan_id, row.name, json.loads(row.sets), row.revision)
