"""Global models that may hold an erased user: they must go, replaced by a run or retired.

A model must go when a user was erased after its data was read, and that user may be among its
members. This is decided by the models that serve, not by what a run has read: an operator may have
brought an earlier one back.
"""

import asyncio
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pipelines.lifecycle.job import Job
from pipelines.lifecycle.members import may_be_member
from pipelines.lifecycle.pointers import global_pointers
from schemas.ids import time_us_of
from schemas.inputs import InputLayout
from schemas.times import server_time, time_at, us_of
from schemas.topics import ERASURES
from store.champions import Champions
from store.changes import Changes
from store.database import Database
from store.models import ModelKey, Models, StoredModel
from store.watermarks import CHANGES_KEPT, MAX_CLOCK_SKEW

NO_SUCCESSOR = "retired: a user was erased since it was learned, and no model replaces it"
NOT_COMPARED = "not compared with what served before: that may hold a user who was erased since"
Model = TypeVar("Model")


def must_go(database: Database, families: Sequence[str], until: datetime) -> Set[InputLayout]:
    """Layouts in which a serving global model may hold a user who was erased.

    Announcements of erasures expire: a model whose data was read before the oldest of them, or by
    a run whose clock was ahead, counts as one that holds such a user.

    Args:
        database: where pointers, models and announcements are.
        families: whose global models go together.
        until: when the run began that asks. Later erasures are for the next run: what this one
            learns may hold those users as well.
    """
    return asyncio.run(_must_go(database, families, until))


def comparable(
    job: Job, serving: Mapping[InputLayout, Model], going: Set[InputLayout]
) -> dict[InputLayout, Model]:
    """The serving models that a challenger is compared with: not those that must go.

    The run's reasons name the layouts of the latter.
    """
    for layout in sorted(going & serving.keys()):
        job.run.reasons[f"{layout}: {NOT_COMPARED}"] += 1
    return {layout: model for layout, model in serving.items() if layout not in going}


def retire_global(job: Job, families: Sequence[str], going: Set[InputLayout]) -> list[InputLayout]:
    """Retire the global models that must go and that this run did not replace.

    The run's reasons name the layouts.

    Args:
        job: a run over all users, after its promotions.
        families: as of `must_go`.
        going: the layouts in which a model had to go when the run began.

    Returns:
        the layouts whose models were retired.

    Raises:
        LeaseLost: the run's lease was lost; no pointer moves.
        LostChampionRace: a pointer moved meanwhile; the next run does the rest.
    """
    if not going:
        return []
    run, champions = job.run, Champions(job.database)
    run.require_lease()
    retired = sorted(going & must_go(job.database, families, run.started_at))
    for layout in retired:
        for family in families:
            key = ModelKey.of_global(layout, family)
            asyncio.run(champions.retire(key, run.run_id, server_time()))
        run.reasons[f"{layout}: {NO_SUCCESSOR}"] += 1
    return retired


async def _must_go(
    database: Database, families: Sequence[str], until: datetime
) -> Set[InputLayout]:
    serving = await _serving(database, families)
    known_us = range(us_of(until - CHANGES_KEPT), us_of(until + MAX_CLOCK_SKEW))
    read_us = [at for _, model in serving if (at := _read_us(model)) in known_us]
    erasures = await _erasures(database, time_at(min(read_us)), until) if read_us else []
    return {
        layout
        for layout, model in serving
        if _read_us(model) not in known_us or _may_hold(model, erasures)
    }


async def _serving(
    database: Database, families: Sequence[str]
) -> list[tuple[InputLayout, StoredModel]]:
    """The serving global models without their bytes."""
    models = Models(database)
    found: list[tuple[InputLayout, StoredModel]] = []
    for family in families:
        for layout, serving in (await global_pointers(database, family)).items():
            if model := await models.described(serving.key, serving.version):
                found.append((layout, model))
    return found


async def _erasures(database: Database, since: datetime, until: datetime) -> list[tuple[UUID, int]]:
    """Who was erased, and when that began and ended, in microseconds."""
    changed = await Changes(database).since(since, until)
    return [
        (user_id, us_of(at))
        for user_id, topics in changed.items()
        for topic, at in topics.items()
        if topic in ERASURES and at <= until
    ]


def _may_hold(model: StoredModel, erasures: Sequence[tuple[UUID, int]]) -> bool:
    """Whether one of the users who were erased after a model's data was read may be in it."""
    read_us, drawn = _read_us(model), model.manifest.get("drawn")
    return any(at > read_us and may_be_member(user_id, drawn) for user_id, at in erasures)


def _read_us(model: StoredModel) -> int:
    """From when on a model's data was read: when the last run began that learned these bytes."""
    return time_us_of(model.run_id)
