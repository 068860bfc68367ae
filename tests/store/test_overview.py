"""The overview of all tables."""

import uuid

import pytest

from store import overview
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns
from store.models import Models
from store.overview import read_overview
from store.pointers import Challenger
from tests.store.stored_models import NOW, a_model, an_owner


async def test_overview_does_not_count_retired_champions(database: Database) -> None:
    champions, model = Champions(database), a_model(an_owner(), b"first")

    async def serving() -> int:
        return (await read_overview(database)).counts["champions"]

    before = await serving()
    await champions.promote(Challenger.of(model), None, NOW)
    assert await serving() == before + 1
    await champions.retire(model.key, uuid.uuid4(), NOW)
    assert await serving() == before


async def test_overview_does_not_count_models_of_which_only_the_run_is_kept(
    database: Database,
) -> None:
    models, model = Models(database), a_model(an_owner(), b"first")

    async def stored() -> int:
        return (await read_overview(database)).counts["models"]

    before = await stored()
    await models.put(model)
    assert await stored() == before + 1
    await models.empty(model.key, [model.version])
    assert await stored() == before


async def test_overview_counts_the_first_rows_and_says_where_there_may_be_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_model(an_owner(), b"first")
    await Champions(database).promote(Challenger.of(model), None, NOW)
    assert "champions" not in (await read_overview(database)).counted_in_part
    monkeypatch.setattr(overview, "MAX_COUNT", 1)
    cut = await read_overview(database)
    assert cut.counts["champions"] <= 1
    assert "champions" in cut.counted_in_part


async def test_overview_shows_the_runs_of_jobs_that_are_no_families(
    database: Database, family: str
) -> None:
    """Such as the mart's, replays and experiments."""
    run = uuid.uuid4()
    await JobRuns(database).start(family, run, {}, NOW)
    assert run in {one.run_id for one in (await read_overview(database)).runs}
