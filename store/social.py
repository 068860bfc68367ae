"""Plans of a user, and whom the user follows."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from store.database import Database, Row


class Plan(NamedTuple):
    """A plan; `revision` is the server's time of the last write in microseconds."""

    plan_id: UUID
    name: str
    sets: Sequence[Mapping[str, object]]
    revision: int


class Follow(NamedTuple):
    """Somebody whom the user follows."""

    followee: UUID
    since: datetime


class Plans:
    """Rows of `plans`: written and deleted with the time of the request."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: UUID, plan: Plan) -> None:
        """Keep a plan as it is now."""
        await self._database.run(
            "INSERT INTO plans (user_id, plan_id, name, sets, revision) VALUES (?, ?, ?, ?, ?) "
            "USING TIMESTAMP ?",
            (
                user_id,
                plan.plan_id,
                plan.name,
                json.dumps(list(plan.sets)),
                plan.revision,
                plan.revision,
            ),
        )

    async def read(self, user_id: UUID, plan_id: UUID) -> Plan | None:
        """One plan, or None."""
        rows = await self._database.run(
            "SELECT plan_id, name, sets, revision FROM plans WHERE user_id = ? AND plan_id = ?",
            (user_id, plan_id),
        )
        return _plan(rows[0]) if rows else None

    async def of_user(self, user_id: UUID) -> list[Plan]:
        """All plans of a user."""
        rows = await self._database.run(
            "SELECT plan_id, name, sets, revision FROM plans WHERE user_id = ?", (user_id,)
        )
        return [_plan(row) for row in rows]

    async def delete(self, user_id: UUID, plan_id: UUID, at_us: int) -> None:
        """Forget a plan."""
        await self._database.run(
            "DELETE FROM plans USING TIMESTAMP ? WHERE user_id = ? AND plan_id = ?",
            (at_us, user_id, plan_id),
        )


class Follows:
    """Rows of `follows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: UUID, followee: UUID, since: datetime) -> None:
        """Follow somebody."""
        await self._database.run(
            "INSERT INTO follows (user_id, followee, since) VALUES (?, ?, ?)",
            (user_id, followee, since),
        )

    async def read(self, user_id: UUID, followee: UUID) -> Follow | None:
        """Whether and since when somebody is followed."""
        rows = await self._database.run(
            "SELECT followee, since FROM follows WHERE user_id = ? AND followee = ?",
            (user_id, followee),
        )
        return _follow(rows[0]) if rows else None

    async def of_user(self, user_id: UUID) -> list[Follow]:
        """Everybody whom a user follows."""
        rows = await self._database.run(
            "SELECT followee, since FROM follows WHERE user_id = ?", (user_id,)
        )
        return [_follow(row) for row in rows]

    async def delete(self, user_id: UUID, followee: UUID) -> None:
        """Follow somebody no more."""
        await self._database.run(
            "DELETE FROM follows WHERE user_id = ? AND followee = ?", (user_id, followee)
        )


def _plan(row: Row) -> Plan:
    return Plan(row.plan_id, row.name, json.loads(row.sets), row.revision)


def _follow(row: Row) -> Follow:
    return Follow(row.followee, row.since.replace(tzinfo=UTC))
