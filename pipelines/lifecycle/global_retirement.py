"""Retires global models that hold data of erased users where a run learned none to replace them."""

import asyncio
from collections.abc import Collection, Sequence

from pipelines.lifecycle.job import Job
from pipelines.lifecycle.scope import has_changes
from schemas.inputs import LAYOUTS, InputLayout
from schemas.times import server_time
from schemas.topics import ERASURES
from store.champions import Champions
from store.models import ModelKey

NO_SUCCESSOR = "retired: a user was erased since it was learned, and no model replaces it"


def retire_global(
    job: Job, families: Sequence[str], replaced: Collection[InputLayout], mark: str
) -> list[InputLayout]:
    """Retire the global models of layouts that this run did not replace, if a user was erased.

    A model that was refused, or could not be learned, leaves the one before it serving, with the
    sums of whoever was erased since. The run's reasons name the layouts.

    Args:
        job: a run over all users, before its watermark moves.
        families: whose global models are retired together.
        replaced: layouts whose new model serves, or whose model was learned again unchanged.
        mark: the watermark of runs over all users. Before the first one, and when changes since
            the last one have expired, somebody may have been erased: that counts as an erasure.

    Returns:
        the layouts of which something was retired.

    Raises:
        LeaseHeld: the run's lease was lost; no pointer moves.
        LostChampionRace: a pointer moved meanwhile; the next run does the rest.
    """
    run, champions = job.run, Champions(job.database)
    if not has_changes(job.database, mark, ERASURES, run.started_at):
        return []
    run.require_lease()
    retired: list[InputLayout] = []
    for layout in sorted(set(LAYOUTS) - set(replaced)):
        keys = [ModelKey.of_global(layout, family) for family in families]
        versions = [asyncio.run(champions.retire(key, run.run_id, server_time())) for key in keys]
        if any(versions):
            run.reasons[f"{layout}: {NO_SUCCESSOR}"] += 1
            retired.append(layout)
    return retired
