"""Which users a run reads: all, named ones, or those with changes since the last run."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pipelines.keys import UserKey
from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.recent import METRIC, inputs_of, recent_inputs
from pipelines.lifecycle.retries import unfinished
from pipelines.lifecycle.runs import Run
from schemas.inputs import ACC3, ACC6
from schemas.layout import owner_of, user_of_owner
from schemas.topics import SETS, Topic
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns
from store.labelled_sets import LabelledSets
from store.watermarks import CHANGES_KEPT, Watermarks

UserSelection = Literal["all", "changed"] | Sequence[UUID]
"""The users that a run is asked to learn."""
EngineName = Literal["spark", "local"]
"""Where a job's functions run: on Spark, or in this process with the same bytes."""
Changes = Literal["none", "read", "new"]
"""What changed since a family's last run: nothing, what that run has read already, or more. A run
that finds `read` leaves the watermark to the one that read it, which may be withdrawn later."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run reads.

    Attributes:
        keys: partitions to learn, in order.
        whole: whether `keys` is all of the table, so that a scan is cheaper than reading by key.
        orphaned: pointers of the selected users whose partition has no set any more.
    """

    keys: tuple[UserKey, ...]
    whole: bool
    orphaned: tuple[UserKey, ...] = ()


def scope_of(database: Database, family: str, users: UserSelection, now: datetime) -> Scope:
    """The partitions that a run is asked to learn.

    "changed" is everybody where it is not known who changed; see `changed_or_unfinished`.
    """
    selected = selected_users(database, family, users, now)
    if selected is None:
        keys = tuple(asyncio.run(LabelledSets(database).keys()))
    else:
        keys = _keys_with_sets(database, selected)
    return Scope(keys, selected is None, orphaned_pointers(database, family, selected, keys))


def orphaned_pointers(
    database: Database, family: str, users: Sequence[UUID] | None, read: Iterable[UserKey]
) -> tuple[UserKey, ...]:
    """Pointers to the models of users who have no set that a run could read, in order.

    Args:
        database: where the pointers are.
        family: of the models.
        users: the users that the run is asked to learn; None: everybody.
        read: users and layouts that have sets.
    """
    return tuple(sorted(pointer_keys(database, family, users) - set(read)))


def pointer_keys(database: Database, family: str, users: Sequence[UUID] | None) -> set[UserKey]:
    """Users and layouts that have a pointer of a family; None for users: everybody."""
    champions = Champions(database)
    if users is None:
        owners = asyncio.run(champions.owners_of(family))
        return {(user, layout) for owner, layout in owners if (user := user_of_owner(owner))}
    of_users = gather(lambda user: champions.of_owner(owner_of(user)), users)
    return {
        (user, pointer.model_id)
        for user, of_user in zip(users, of_users, strict=True)
        for pointer in of_user
        if pointer.family == family
    }


def selected_users(
    database: Database, family: str, users: UserSelection, now: datetime
) -> tuple[UUID, ...] | None:
    """The users that a run reads; None: everybody."""
    if users == "changed":
        changed = changed_or_unfinished(database, family, now)
        return None if changed is None else tuple(changed)
    return None if isinstance(users, str) else tuple(sorted(set(users)))


def changed_or_unfinished(database: Database, family: str, now: datetime) -> list[UUID] | None:
    """Users with changed sets since a family's last run, and those it could not finish, in order.

    None, for everybody, before the first run, and when changes since the last run have expired.
    """
    since = asyncio.run(Watermarks(database).read(family, now))
    if since is None or now - since > CHANGES_KEPT:
        return None
    changed = asyncio.run(Watermarks(database).changed_users([SETS], since, now))
    return sorted({*changed, *unfinished(database, family)})


def record_changes(
    database: Database, run: Run, topics: Sequence[Topic], *, only_changed: bool
) -> Changes:
    """What is new to a run over everybody; what there is goes into its metrics, for the next one.

    Args:
        database: where both are.
        run: that begins.
        topics: of the changes that count.
        only_changed: whether the run does nothing where nothing changed; else all is new to it.
    """
    run.metrics[METRIC] = recent_inputs(database, topics, run.started_at)
    return changes(database, run.family, topics, run.started_at) if only_changed else "new"


def changes(database: Database, family: str, topics: Sequence[Topic], now: datetime) -> Changes:
    """What changed of these topics since a family's last run.

    "new" before the first run, and when changes since the last run have expired.
    """
    marks = Watermarks(database)
    since = asyncio.run(marks.read(family, now))
    if since is None or now - since > CHANGES_KEPT:
        return "new"
    users = asyncio.run(marks.changed_users(topics, since, now))
    if not users:
        return "none"
    return "read" if _were_read(database, family, topics, users) else "new"


def _were_read(
    database: Database, family: str, topics: Sequence[Topic], users: Mapping[UUID, datetime]
) -> bool:
    """Whether a family's last run has read what these users have.

    Args:
        database: with the run.
        family: whose.
        topics: of the changes.
        users: each with the time of the newest change.
    """
    mark = asyncio.run(Watermarks(database).newest(family))
    last = asyncio.run(JobRuns(database).read(family, mark.run_id)) if mark else None
    if last is None or max(users.values()) > last.started_at:
        return False
    if asyncio.run(Champions(database).is_withdrawn(last.run_id)):
        return False  # its results do not serve: the next run judges again
    read = last.metrics.get(METRIC)
    return bool(read) and inputs_of(database, topics, sorted(users)) == read


def _keys_with_sets(database: Database, users: Sequence[UUID]) -> tuple[UserKey, ...]:
    keys = [(user, layout) for user in sorted(set(users)) for layout in (ACC3, ACC6)]
    have_sets = gather(lambda key: LabelledSets(database).has_any(*key), keys)
    return tuple(key for key, has_sets in zip(keys, have_sets, strict=True) if has_sets)
