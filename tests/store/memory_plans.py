"""Plans, deviations and predictions without Cassandra; see `tests.store.memory`."""

from collections.abc import Sequence
from uuid import UUID

from schemas.times import us_of
from store.deviations import DeviationRow, Deviations
from store.plans import Plan, Plans, PlanVersion
from store.predictions import Prediction, Predictions
from tests.store.cells import Cells


class MemoryPlans(Plans):
    """Plans in memory."""

    def __init__(self) -> None:
        self._plans, self._versions = Cells(), Cells()

    async def put(self, user_id: UUID, plan: Plan) -> None:
        """Project a plan."""
        key = (user_id, plan.plan_id)
        version = PlanVersion(plan.revision, plan)
        self._versions.write((*key, plan.revision), {"version": version}, plan.revision)
        self._plans.write(key, {"plan": plan}, plan.revision)

    async def delete(self, user_id: UUID, plan_id: UUID, at_us: int) -> None:
        """Project a deletion."""
        version = PlanVersion(at_us, None)
        self._versions.write((user_id, plan_id, at_us), {"version": version}, at_us)
        self._plans.delete((user_id, plan_id), at_us)

    async def read(self, user_id: UUID, plan_id: UUID) -> Plan | None:
        """One plan as it is now."""
        return next((row["plan"] for _, row in self._plans.read((user_id, plan_id))), None)

    async def of_user(self, user_id: UUID) -> list[Plan]:
        """All plans of a user as they are now."""
        return [row["plan"] for _, row in self._plans.read((user_id,))]

    async def page(self, user_id: UUID, after: UUID | None, limit: int) -> list[Plan]:
        """Plans by id, those after a given one."""
        plans = sorted(await self.of_user(user_id), key=lambda plan: plan.plan_id)
        return [plan for plan in plans if after is None or plan.plan_id > after][:limit]

    async def followed(self, user_id: UUID, plan_id: UUID, at_us: int) -> PlanVersion | None:
        """The version that a session follows which begins at a time."""
        kept = [version for version in self._all(user_id, plan_id) if version.plan is not None]
        before = [version for version in kept if version.revision <= at_us]
        return before[-1] if before else (kept[0] if kept else None)

    async def newest(self, user_id: UUID, plan_id: UUID) -> PlanVersion | None:
        """The newest version of a plan."""
        versions = self._all(user_id, plan_id)
        return versions[-1] if versions else None

    def _all(self, user_id: UUID, plan_id: UUID) -> list[PlanVersion]:
        """All versions of a plan, oldest first."""
        versions = [row["version"] for _, row in self._versions.read((user_id, plan_id))]
        return sorted(versions, key=lambda version: version.revision)


class MemoryDeviations(Deviations):
    """Deviations in memory."""

    def __init__(self) -> None:
        self._rows = Cells()

    async def replace(
        self,
        user_id: UUID,
        month: str,
        session_id: UUID,
        rows: Sequence[DeviationRow],
        at_us: int,
    ) -> None:
        """Replace a session's rows."""
        await self.delete_session(user_id, month, session_id, at_us - 1)
        for row in rows:
            key = (user_id, month, session_id, row.position)
            self._rows.write(key, {"row": row, "at_us": at_us}, at_us)

    async def written_us(self, user_id: UUID, month: str, session_id: UUID) -> int:
        """When a session's rows were written."""
        rows = self._rows.read((user_id, month, session_id))
        return max((row["at_us"] for _, row in rows), default=0)

    async def delete_session(self, user_id: UUID, month: str, session_id: UUID, at_us: int) -> None:
        """Delete what was written of a session."""
        self._rows.delete((user_id, month, session_id), at_us)

    async def of_month(self, user_id: UUID, month: str) -> list[DeviationRow]:
        """A user's rows of a month."""
        rows = [row["row"] for _, row in self._rows.read((user_id, month))]
        return sorted(rows, key=lambda row: (row.session_id, row.position))

    async def of_session(self, user_id: UUID, month: str, session_id: UUID) -> list[DeviationRow]:
        """A session's rows."""
        rows = await self.of_month(user_id, month)
        return [row for row in rows if row.session_id == session_id]


class MemoryPredictions(Predictions):
    """Predictions in memory; written when they were made."""

    def __init__(self) -> None:
        self._rows: dict[tuple[UUID, UUID], list[Prediction]] = {}
        self._tombstones: dict[tuple[UUID, UUID], int] = {}

    async def replace(
        self, user_id: UUID, session_id: UUID, predictions: Sequence[Prediction]
    ) -> None:
        """Replace a session's predictions."""
        gone = self._tombstones.get((user_id, session_id), 0)
        kept = [prediction for prediction in predictions if us_of(prediction.predicted_at) > gone]
        self._rows[user_id, session_id] = kept

    async def delete(self, user_id: UUID, session_id: UUID, at_us: int | None = None) -> None:
        """Delete a session's predictions."""
        key = (user_id, session_id)
        self._tombstones[key] = max(at_us or 0, self._tombstones.get(key, 0))
        self._rows.pop(key, None)

    async def of_session(self, user_id: UUID, session_id: UUID) -> list[Prediction]:
        """The predictions of a session, in time order."""
        return sorted(
            self._rows.get((user_id, session_id), []), key=lambda prediction: prediction.started_at
        )
