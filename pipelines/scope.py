"""Whom a run learns: everybody, those named, or those whose sets differ from what was learned."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pipelines.history import log_digest
from pipelines.labelled import LabelledSet, digest, newest
from pipelines.promotion import TAKEN_BACK, gather
from schemas.inputs import ACC3, ACC6
from schemas.layout import owner_of
from schemas.topics import Topic
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.models import Models
from store.sets import Sets
from store.training import SetRevision, TrainingKeys
from store.watermarks import CHANGES_KEPT, Watermarks

TOPIC: Topic = "sets"
UNFINISHED = ("failed", "overtaken")  # the next run tries again although no set is new
UserKey = tuple[UUID, str]
Users = Literal["all", "changed"] | Sequence[UUID]


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


def scope_of(database: Database, family: str, users: Users, now: datetime) -> Scope:
    """The partitions that a run is asked to learn.

    "changed" is everybody where nobody can say who changed; see `changed_or_unfinished`.
    """
    asked = users_of(database, family, users, now)
    if asked is None:
        keys = tuple(asyncio.run(TrainingKeys(database).every()))
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
        named = {(UUID(owner[2:]), layout) for owner, layout in found if owner.startswith("u:")}
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
    database: Database, family: str, users: Users, now: datetime
) -> tuple[UUID, ...] | None:
    """The users that a run is asked to learn; None: everybody."""
    if users == "changed":
        changed = changed_or_unfinished(database, family, now)
        return None if changed is None else tuple(changed)
    return None if isinstance(users, str) else tuple(sorted(set(users)))


def changed_or_unfinished(database: Database, family: str, now: datetime) -> list[UUID] | None:
    """Who changed sets since a family's last run, and whom that run could not finish, in order.

    None, for everybody, before the first run and when changes since the last are not kept any more.
    """
    since = asyncio.run(Watermarks(database).read(family, now))
    if since is None or now - since > CHANGES_KEPT:
        return None
    changed = asyncio.run(Watermarks(database).changed_users([TOPIC], since, now))
    return sorted({*changed, *unfinished(database, family)})


def unfinished(database: Database, family: str) -> set[UUID]:
    """Whom a family's last run failed to learn, or was overtaken with.

    What was wrong may pass, or be mended by a release, without a new set of theirs.
    """
    return {one.user_id for one in _last_outcomes(database, family) if one.status in UNFINISHED}


def nothing_new(database: Database, family: str, outcomes: Iterable[UserOutcome]) -> bool:
    """Whether the last run came to the very same for these users: whoever fails fails again."""
    return set(outcomes) <= set(_last_outcomes(database, family))


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

    Args:
        database: with the mark that `everybody_learned` leaves.
        family: which.
        now: of the run.
        after: how long what was learned from everybody lasts; for good while no set changes.
    """
    since = asyncio.run(Watermarks(database).read(_everybody(family), now))
    if since is None:
        return True
    return now - since > after and is_new(database, _everybody(family), [TOPIC], now)


def everybody_learned(
    database: Database, family: str, run_id: UUID, read_until: datetime, now: datetime
) -> None:
    """Remember up to when a run has read everybody."""
    asyncio.run(Watermarks(database).advance(_everybody(family), run_id, read_until, now))


def _everybody(family: str) -> str:
    """The name under which runs over everybody stand among the watermarks."""
    return f"{family}:everybody"


def drop_unchanged(
    database: Database, family: str, scope: Scope, newest_sets: int, recipe: str
) -> Scope:
    """Leave out who is served by a model of these very sets by this very recipe."""

    async def learned_from(key: UserKey) -> object:
        serving = await Champions(database).serving(owner_of(key[0]), key[1], family)
        if serving is None:
            return None
        manifest = await Models(database).manifest(serving.owner, key[1], family, serving.version)
        return (manifest or {}).get("data_digest")

    known = gather([learned_from(key) for key in scope.keys])
    found = zip(scope.keys, known, _revisions(database, scope.keys), strict=True)
    kept = [k for k, before, sets in found if before != sets_digest(sets, newest_sets, recipe)]
    return replace(scope, keys=tuple(kept))


def split_known(
    database: Database, family: str, layout: str, users: Sequence[UUID]
) -> tuple[tuple[UUID, ...], list[UserOutcome]]:
    """Leave out who has no sets, and whose are those that were read before, whatever came of them.

    A run looks at the last minute before the one before it again, and an announcement may come
    without a change: most of those people are the same.

    Returns:
        the users that are to be learned, and "unchanged" for those who have been.
    """
    mark = asyncio.run(Watermarks(database).newest(family))
    last = mark.run_id if mark else None
    revisions = gather([Sets(database).revisions(user) for user in users])
    digests = {user: log_digest(rows) for user, rows in zip(users, revisions, strict=True) if rows}
    found = gather([_before(database, family, layout, *one, last) for one in digests.items()])
    same = [one for one in found if one is not None]
    return tuple(user for user, one in zip(digests, found, strict=True) if one is None), same


async def _before(
    database: Database, family: str, layout: str, user: UUID, digest: str, last: UUID | None
) -> UserOutcome | None:
    """What came of these very sets; None where they changed since, or it is not in effect."""
    said = json.dumps({"data_digest": digest})
    serving = await Champions(database).serving(owner_of(user), layout, family)
    for one in await JobRuns(database).of_user(last, user) if last else ():
        if one.metrics == said:
            same = same_again(one, serving.version if serving else None)
            if same is not None:
                return same
    if serving is None:
        return None
    manifest = await Models(database).manifest(serving.owner, layout, family, serving.version)
    if manifest is None or manifest.get("data_digest") != digest:
        return None
    return UserOutcome(user, layout, "unchanged", "", serving.version, said)


def same_again(before: UserOutcome, serving: str | None) -> UserOutcome | None:
    """The outcome of sets that the run before has read; None where they are to be learned again.

    What that run let serve and somebody took back is no more in effect. An "unchanged" without a
    version says that nothing serves that was learned from these sets, as before.

    Args:
        before: what the run before came to for a user.
        serving: the version that serves the user now.

    >>> before = UserOutcome(UUID(int=7), "sets", "promoted", "", "9f86d081884c7d65", "{}")
    >>> same_again(before, "9f86d081884c7d65").status, same_again(before, "2c26b46b68ffc68f")
    ('unchanged', None)
    """
    if before.status in UNFINISHED:
        return None
    if before.status == TAKEN_BACK:
        return before if serving else None
    if before.status not in ("promoted", "unchanged"):
        return before._replace(status="unchanged", reason="", version="")
    if before.version not in ("", serving):
        return None
    return before._replace(status="unchanged", reason="")


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
    return gather([TrainingKeys(database).revisions(*key) for key in keys])
