"""Results of batch jobs for one user."""

import json
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from store.database import Database


class Cluster(NamedTuple):
    """The group of people that a user trains like."""

    cluster: int
    name: str
    features: Mapping[str, float]


class RecommendationRow(NamedTuple):
    """An exercise that a user might like."""

    position: int
    exercise: str
    score: float
    why: str


class Rank(NamedTuple):
    """A user's place among all."""

    rank: float
    position: int


class Results:
    """Rows of `clusters`, `recommendations` and `ranks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def cluster(self, run_id: UUID, user_id: UUID) -> Cluster | None:
        """The user's cluster in a run, None when the run left the user out."""
        rows = await self._database.run(
            "SELECT cluster, name, features FROM clusters WHERE run_id = ? AND user_id = ?",
            (run_id, user_id),
        )
        if not rows:
            return None
        return Cluster(rows[0].cluster, rows[0].name, json.loads(rows[0].features or "{}"))

    async def recommendations(self, run_id: UUID, user_id: UUID) -> list[RecommendationRow]:
        """What a run recommends to the user, the best first."""
        rows = await self._database.run(
            "SELECT position, exercise, score, why FROM recommendations "
            "WHERE run_id = ? AND user_id = ?",
            (run_id, user_id),
        )
        return [RecommendationRow(*row) for row in rows]

    async def rank(self, run_id: UUID, user_id: UUID) -> Rank | None:
        """The user's rank in a run, None when the run left the user out."""
        rows = await self._database.run(
            "SELECT rank, position FROM ranks WHERE run_id = ? AND user_id = ?", (run_id, user_id)
        )
        return Rank(*rows[0]) if rows else None
