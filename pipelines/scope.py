"""Whom a run learns: everybody, those named, or those whose sets differ from what was learned."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from models.exercise.layout import ACC3, ACC6
from pipelines.labelled import LabelledSet, digest, newest
from store.database import Database
from store.jobs import Watermarks
from store.models import Champion, StoredModel
from store.training import SetRevision, TrainingKeys

TOPIC = "sets"
UserKey = tuple[UUID, str]
Users = Literal["all", "changed"] | Sequence[UUID]
Known = Mapping[UserKey, tuple[Champion, StoredModel]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run reads.

    Attributes:
        keys: partitions to learn, in order.
        whole: whether these are all there are, so that a scan is cheaper than reading by key.
    """

    keys: tuple[UserKey, ...]
    whole: bool


def scope_of(database: Database, family: str, users: Users, now: datetime) -> Scope:
    """The partitions that a run is asked to learn.

    "changed" without an earlier run is everybody.
    """
    if users == "changed":
        since = asyncio.run(Watermarks(database).read(family))
        if since is not None:
            changed = asyncio.run(Watermarks(database).changed_users([TOPIC], since, now))
            return Scope(_with_sets(database, changed), whole=False)
    if isinstance(users, str):
        return Scope(tuple(asyncio.run(TrainingKeys(database).every())), whole=True)
    return Scope(_with_sets(database, users), whole=False)


def users_of(
    database: Database, family: str, users: Users, now: datetime
) -> tuple[UUID, ...] | None:
    """The users that a run of a journal family is asked to learn; None: everybody."""
    if users == "changed":
        since = asyncio.run(Watermarks(database).read(family))
        if since is not None:
            return tuple(asyncio.run(Watermarks(database).changed_users([TOPIC], since, now)))
    return None if isinstance(users, str) else tuple(sorted(set(users)))


def drop_unchanged(
    database: Database, scope: Scope, known: Known, newest_sets: int, recipe: str
) -> Scope:
    """Leave out whose champion was learned from these very sets by this very recipe."""
    kept = [
        key
        for key, sets in zip(scope.keys, _revisions(database, scope.keys), strict=True)
        if key not in known
        or known[key][1].manifest.get("data_digest") != sets_digest(sets, newest_sets, recipe)
    ]
    return Scope(tuple(kept), scope.whole)


def sets_digest(sets: Iterable[SetRevision], newest_sets: int, recipe: str) -> str:
    """The digest that a model learned from these sets would have, without reading a sample."""
    rows = [
        LabelledSet(str(one.set_id), one.revision, one.exercise, one.started_at, "", b"")
        for one in sets
    ]
    return digest(newest(rows, newest_sets), recipe)


def _with_sets(database: Database, users: Sequence[UUID]) -> tuple[UserKey, ...]:
    keys = [(user, layout) for user in sorted(set(users)) for layout in (ACC3, ACC6)]
    found = _revisions(database, keys)
    return tuple(key for key, sets in zip(keys, found, strict=True) if sets)


def _revisions(database: Database, keys: Sequence[UserKey]) -> list[list[SetRevision]]:
    async def every() -> list[list[SetRevision]]:
        gate = asyncio.Semaphore(64)

        async def one(key: UserKey) -> list[SetRevision]:
            async with gate:
                return await TrainingKeys(database).revisions(*key)

        return await asyncio.gather(*(one(key) for key in keys))

    return asyncio.run(every())
