"""Whom a run learns: everybody, those named, or those whose sets differ from what was learned."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pipelines.keys import UserKey
from pipelines.lifecycle.gather import gather
from schemas.inputs import ACC3, ACC6
from schemas.layout import owner_of, user_of_owner
from schemas.topics import Topic
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.training import SetRevision, TrainingKeys
from store.watermarks import CHANGES_KEPT, Watermarks

TOPIC: Topic = "sets"
UNFINISHED = ("failed", "overtaken")  # the next run tries again although no set is new
AskedUsers = Literal["all", "changed"] | Sequence[UUID]
"""Whom a run is asked to learn."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run reads.

    Attributes:
        keys: partitions to learn, in order.
        whole: whether these are all there are, so that a scan is cheaper than reading by key.
        gone: of those asked for, where a model points to and no set is left.
    """

    keys: tuple[UserKey, ...]
    whole: bool
    gone: tuple[UserKey, ...] = ()


def scope_of(database: Database, family: str, users: AskedUsers, now: datetime) -> Scope:
    """The partitions that a run is asked to learn.

    "changed" is everybody where nobody can say who changed; see `changed_or_unfinished`.
    """
    asked = users_of(database, family, users, now)
    if asked is None:
        keys = tuple(asyncio.run(TrainingKeys(database).all()))
    else:
        keys = _with_sets(database, asked)
    return Scope(keys, asked is None, left_over(database, family, asked, keys))


def left_over(
    database: Database, family: str, users: Sequence[UUID] | None, read: Iterable[UserKey]
) -> tuple[UserKey, ...]:
    """Pointers to models of people without a set that a run could read, in order.

    Args:
        database: where the pointers are.
        family: of the models.
        users: whom the run is asked to learn; None: everybody.
        read: users and layouts that have sets.
    """
    champions = Champions(database)
    if users is None:
        found = asyncio.run(champions.owners_of(family))
        named = {(user, layout) for owner, layout in found if (user := user_of_owner(owner))}
    else:
        pages = gather([champions.of_owner(owner_of(user)) for user in users])
        named = {
            (user, one.model_id)
            for user, page in zip(users, pages, strict=True)
            for one in page
            if one.family == family
        }
    return tuple(sorted(named - set(read)))


def users_of(
    database: Database, family: str, users: AskedUsers, now: datetime
) -> tuple[UUID, ...] | None:
    """The users that a run is asked to learn; None: everybody."""
    if users == "changed":
        changed = changed_or_unfinished(database, family, now)
        return None if changed is None else tuple(changed)
    return None if isinstance(users, str) else tuple(sorted(set(users)))


def changed_or_unfinished(database: Database, family: str, now: datetime) -> list[UUID] | None:
    """Users with changed sets since a family's last run, and those it could not finish, in order.

    None, for everybody, before the first run and when changes since the last are not kept any more.
    """
    since = asyncio.run(Watermarks(database).read(family, now))
    if since is None or now - since > CHANGES_KEPT:
        return None
    changed = asyncio.run(Watermarks(database).changed_users([TOPIC], since, now))
    return sorted({*changed, *unfinished(database, family)})


def unfinished(database: Database, family: str) -> set[UUID]:
    """Users whom a family's last run failed to learn, or was overtaken with.

    What was wrong may pass, or be mended by a release, without a new set of theirs.
    """
    return {one.user_id for one in _last_outcomes(database, family) if one.status in UNFINISHED}


def nothing_new(database: Database, family: str, outcomes: Iterable[UserOutcome]) -> bool:
    """Whether the last run came to the very same for these users: whoever fails fails again."""
    said = {one for one in outcomes if one.status != "unchanged"}
    return said <= set(_last_outcomes(database, family))


def _last_outcomes(database: Database, family: str) -> list[UserOutcome]:
    mark = asyncio.run(Watermarks(database).newest(family))
    return asyncio.run(JobRuns(database).users(mark.run_id)) if mark else []


def is_new(database: Database, family: str, topics: Sequence[Topic], now: datetime) -> bool:
    """Whether anything of these topics changed since a family's last run.

    Yes before the first run, and when changes since the last are not kept any more.
    """
    marks = Watermarks(database)
    since = asyncio.run(marks.read(family, now))
    if since is None or now - since > CHANGES_KEPT:
        return True
    return bool(asyncio.run(marks.changed_users(topics, since, now)))


def everybody_due(database: Database, family: str, now: datetime, after: timedelta) -> bool:
    """Whether what is learned from everybody is to be learned again, because sets changed since.

    Until then the sets of erased users are in it.

    Args:
        database: with the mark that `everybody_learned` leaves.
        family: which.
        now: of the run.
        after: how long what was learned from everybody lasts; for good while no set changes and
            nobody is erased.
    """
    since = asyncio.run(Watermarks(database).read(_everybody(family), now))
    if since is None:
        return True
    return now - since > after and is_new(database, _everybody(family), [TOPIC, "erased"], now)


def everybody_learned(
    database: Database, family: str, run_id: UUID, read_until: datetime, now: datetime
) -> None:
    """Remember up to when a run has read everybody."""
    asyncio.run(Watermarks(database).advance(_everybody(family), run_id, read_until, now))


def _everybody(family: str) -> str:
    """The name under which runs over everybody stand among the watermarks."""
    return f"{family}:everybody"


def _with_sets(database: Database, users: Sequence[UUID]) -> tuple[UserKey, ...]:
    keys = [(user, layout) for user in sorted(set(users)) for layout in (ACC3, ACC6)]
    found = revisions_of(database, keys)
    return tuple(key for key, sets in zip(keys, found, strict=True) if sets)


def revisions_of(database: Database, keys: Sequence[UserKey]) -> list[list[SetRevision]]:
    """The sets of partitions, without their samples, in the order of the keys."""
    return gather([TrainingKeys(database).revisions(*key) for key in keys])
