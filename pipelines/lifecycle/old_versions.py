"""Empties old versions of the models of users whom a run learned or left as they are."""

from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.runs import Run
from schemas.errors import Retryable
from schemas.ids import without_ids
from store.database import Database
from store.models import ModelKey
from store.unnamed_versions import empty_unnamed_versions

ONE_IN = 8
"""The share of a run's users whose versions are looked through, others in each run: 90 nights of
one user are a megabyte to read."""


def empty_old_versions(database: Database, run: Run) -> None:
    """Empty what no pointer names and no run has learned for 90 days, of some users of a run.

    They are among those with an outcome that names a version, also of a model that was refused, or
    learned by an earlier run. Where the database does not answer, the run's reasons say so: what it
    has promoted serves, and the next run looks again.

    Raises:
        LeaseLost: the run's lease was lost: another run may be learning the same bytes again.
        Retryable: the lease was not extended in time, and the database does not answer.
    """
    with_version = {(one.user_id, one.model_id) for one in run.outcomes if one.version}
    some = [key for key in with_version if (key[0].int ^ run.run_id.int) % ONE_IN == 0]
    if some:
        run.require_lease()
    keys = [ModelKey.of_user(*key, run.family) for key in sorted(some)]
    try:
        gather(lambda key: empty_unnamed_versions(database, key, run.started_at), keys)
    except Retryable as problem:
        sentence = f"old versions were not looked through: {problem}"
        run.reasons[without_ids(sentence)[:500]] += 1
