"""Which users the next run tries again although their sets are the same."""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from pipelines.lifecycle.open_refusals import is_open
from schemas.statuses import UserStatus
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.watermarks import Watermarks

UNFINISHED: Sequence[UserStatus] = ("failed", "overtaken")  # tried again although no set is new


def unfinished(database: Database, family: str) -> set[UUID]:
    """Users for whom a family's last run failed, was overtaken, or had too little evidence.

    They are retried without a new set: the cause may have passed, or a release may have fixed it.
    """
    outcomes = _last_outcomes(database, family)
    return {outcome.user_id for outcome in outcomes if is_unfinished(outcome)}


def is_unfinished(outcome: UserOutcome) -> bool:
    """Whether the next run tries a user again whose sets are the same.

    >>> from pipelines.lifecycle.open_refusals import NO_EVIDENCE
    >>> outcome = UserOutcome(UUID(int=7), "sets", "refused", NO_EVIDENCE, "", "{}")
    >>> is_unfinished(outcome), is_unfinished(outcome._replace(reason="it lost"))
    (True, False)
    """
    if outcome.status == "refused":
        return is_open(outcome.reason)
    return outcome.status in UNFINISHED


def same_outcomes(database: Database, family: str, outcomes: Iterable[UserOutcome]) -> bool:
    """Whether the last run had the same outcomes for these users, such as the same failures.

    Metrics do not count: those of a model follow from its version, and of no model there are none.
    """
    relevant = {outcome for outcome in outcomes if outcome.status != "unchanged"}
    return _without_metrics(relevant) <= _without_metrics(_last_outcomes(database, family))


def _without_metrics(outcomes: Iterable[UserOutcome]) -> set[UserOutcome]:
    return {outcome._replace(metrics="") for outcome in outcomes}


def _last_outcomes(database: Database, family: str) -> list[UserOutcome]:
    mark = asyncio.run(Watermarks(database).newest(family))
    return asyncio.run(JobRuns(database).users(mark.run_id)) if mark else []
