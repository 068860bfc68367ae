"""What storing costs in tests: nothing, or a list of what was charged and returned."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ingest.event_writer import Cost, CostOfBytes
from ingest.recorder import Recorder
from schemas.errors import LimitExceeded


class NoCost:
    """A user without a quota."""

    def take(self) -> None: ...

    def refund(self) -> None: ...


@dataclass
class Counted:
    """Counts what is charged, and returned as a negative number."""

    sizes: list[int]
    size: int = 1

    def take(self) -> None:
        self.sizes.append(self.size)

    def refund(self) -> None:
        self.sizes.append(-self.size)


class OverLimit(NoCost):
    """A user whose quota is used up."""

    def take(self) -> None:
        raise LimitExceeded("no more today", limit="samples", retry_after_s=9)


def free(size_bytes: int) -> Cost:
    return NoCost()


def over_limit(size_bytes: int) -> Cost:
    return OverLimit()


def counted_in(sizes: list[int]) -> CostOfBytes:
    return lambda size_bytes: Counted(sizes, size_bytes)


class FreeRecorder(Recorder):
    """A recorder that charges nothing unless it is told what to charge."""

    async def complete(
        self, user_id: UUID, session_id: UUID, completion: Any, cost_of: CostOfBytes = free
    ) -> Any:
        return await super().complete(user_id, session_id, completion, cost_of)

    async def confirm_set(
        self,
        user_id: UUID,
        session_id: UUID,
        set_id: UUID,
        confirmation: Any,
        if_match: int | None = None,
        cost: Cost | None = None,
    ) -> Any:
        place = (user_id, session_id, set_id)
        return await super().confirm_set(*place, confirmation, if_match, cost or NoCost())

    async def put_plan(
        self, user_id: UUID, plan_id: UUID, name: str, planned: Any, cost_of: CostOfBytes = free
    ) -> Any:
        body = {"name": name, "sets": list(planned)}
        return await super().put_plan(user_id, plan_id, body, cost_of)
