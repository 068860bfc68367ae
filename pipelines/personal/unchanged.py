"""Skips users whose sets an earlier run has learned."""

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.pointers import WITHDRAWN
from pipelines.lifecycle.retries import is_unfinished
from pipelines.lifecycle.set_logs import log_digest
from schemas.inputs import SETS
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.models import ModelKey, Models
from store.sets import Sets
from store.watermarks import Watermarks

DIGEST = "data_digest"  # key of a manifest, and of an outcome's metrics


def split_unchanged(
    database: Database, family: str, users: Sequence[UUID]
) -> tuple[tuple[UUID, ...], list[UserOutcome]]:
    """Skip users without sets, and those whose sets an earlier run has read, whatever came of it.

    A run reads the last minutes before the previous run again, and a change may be announced that
    changes nothing: most of those users have the same sets.

    Returns:
        the users that are to be learned, and the outcomes of the others as of `carried_over`.
    """
    mark = asyncio.run(Watermarks(database).newest(family))
    last = mark.run_id if mark else None
    of_users = gather(partial(_digest, database), users)
    digests = {user: digest for user, digest in zip(users, of_users, strict=True) if digest}
    outcomes = gather(
        lambda known: _unchanged_outcome(database, family, *known, last), digests.items()
    )
    to_learn = [user for user, known in zip(digests, outcomes, strict=True) if known is None]
    return tuple(to_learn), [outcome for outcome in outcomes if outcome is not None]


async def _digest(database: Database, user: UUID) -> str:
    """The digest of a user's sets, "" of none: the rows, thousands a user, are let go here."""
    rows = await Sets(database).revisions(user)
    return log_digest(rows) if rows else ""


async def _unchanged_outcome(
    database: Database, family: str, user: UUID, digest: str, last: UUID | None
) -> UserOutcome | None:
    """The outcome of a user whose sets were read before; None where they are to be learned."""
    serving = await Champions(database).serving(ModelKey.of_user(user, SETS, family))
    for before in await JobRuns(database).of_user(last, user) if last else ():
        if json.loads(before.metrics).get(DIGEST) == digest:
            carried = carried_over(before, serving.version if serving else None)
            if carried is not None:
                return carried
    if serving is None:
        return None
    manifest = await Models(database).manifest(serving.key, serving.version)
    if manifest is None or manifest.get(DIGEST) != digest:
        return None
    return UserOutcome(user, SETS, "unchanged", "", serving.version, _metrics(digest))


def carried_over(before: UserOutcome, serving: str | None) -> UserOutcome | None:
    """The outcome of sets that the last run has read; None where they are to be learned again.

    Users without a model of these sets that serves keep their outcome with its reason, but not its
    evaluation: the run before has counted it, perhaps for another recipe. A model that was promoted
    and no longer serves was withdrawn. One that was refused, withdrawn or retired serves once an
    operator has promoted it or rolled back to it.

    Args:
        before: the user's outcome in the last run.
        serving: the version that serves the user now.

    >>> digest, version = '{"data_digest": "1"}', "9f86d081884c7d65"
    >>> before = UserOutcome(UUID(int=7), "sets", "promoted", "", version, digest)
    >>> carried_over(before, version).status, carried_over(before, "2c26b46b68ffc68f")
    ('unchanged', None)
    >>> vetoed = before._replace(status="vetoed", reason="worse")
    >>> carried_over(vetoed, None) == vetoed, carried_over(vetoed, version).status
    (True, 'unchanged')
    """
    if is_unfinished(before):
        return None
    if serving is not None and before.version == serving:
        return before._replace(status="unchanged", reason="")
    if before.status in ("promoted", "unchanged") or (before.status == WITHDRAWN and not serving):
        return None
    return before._replace(metrics=_metrics(json.loads(before.metrics)[DIGEST]))


def _metrics(digest: str) -> str:
    """The metrics of an outcome without an evaluation."""
    return json.dumps({DIGEST: digest})
