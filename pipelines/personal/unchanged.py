"""Leaves users out of a run whose sets an earlier run has learned."""

import asyncio
import json
from collections.abc import Sequence
from uuid import UUID

from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.pointers import TAKEN_BACK
from pipelines.lifecycle.scope import UNFINISHED
from pipelines.personal.history import log_digest
from schemas.layout import owner_of
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.models import Models
from store.sets import Sets
from store.watermarks import Watermarks


def split_known(
    database: Database, family: str, layout: str, users: Sequence[UUID]
) -> tuple[tuple[UUID, ...], list[UserOutcome]]:
    """Leave out users without sets, and those whose sets were read before, whatever came of them.

    A run looks once more at the last minute before the previous one, and changes may be announced
    without happening: most of those users are the same.

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

    A model that the run promoted and somebody took back is no longer in effect. "unchanged" without
    a version says that, as before, nothing serves that was learned from these sets.

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
