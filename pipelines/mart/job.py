"""The mart: pseudonymous Parquet tables, refreshed from what `changes` says.

People who changed are read again by key, everybody else's rows are copied from the version
before; tables that belong to nobody are read whole. A version appears when all of it is there.

Spark's executors write the files, each where it runs: past one machine `paths.mart` must be one
folder for all of them and for the driver.
"""

import asyncio
import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.types import IntegerType

from pipelines.lifecycle.job import Job, open_job
from pipelines.lifecycle.runs import Run, RunReport
from pipelines.mart.frames import Refresh, evaluations, file_url, frame_of
from pipelines.mart.query import DAMAGE
from pipelines.mart.tables import FUNCTIONS, copies_digest, pseudonyms
from schemas.config import Config
from schemas.errors import BadConfig, IncompleteRun, NoMart
from schemas.exhaustion import causes, exhaustion_of
from schemas.families import BATCH_FAMILIES, MART_JOB
from schemas.mart import MART
from schemas.progress import Progress
from schemas.times import Clock, server_time
from store.champions import Champions
from store.changes import Changes
from store.concurrency import map_concurrently
from store.database import Database
from store.live_runs import LiveRuns
from store.mart import Manifest, MartFolder
from store.pseudonyms import key_id, pseudonym_key
from store.user_rows import UserRows
from store.watermarks import CHANGES_KEPT

TABLES_AT_ONCE = 4  # most of a small table's time is planning, on one core
PEOPLE_AT_ONCE = 32


def refresh_mart(
    config: Config,
    *,
    everybody: bool = False,
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Bring the mart up to date.

    Args:
        config: where Cassandra, Spark and the mart are.
        everybody: read all people again, whoever changed.
        progress: is told about every table.
        clock: the server's time.

    Raises:
        LeaseHeld: another refresh is under way.
        BadConfig: an executor does not see the driver's `paths.mart`, or this host has no key of
            the pseudonyms that are in it.
        IncompleteRun: files that Spark wrote are not there.
        BadMart: files of the version before, from which rows are copied, cannot be read.
    """
    inputs = {"users": "all" if everybody else "changed"}
    folder = MartFolder(config.paths.mart)
    key = pseudonym_key(config.paths.secrets, folder)  # before a run that could only fail
    with open_job(config, MART_JOB, inputs, progress=progress, clock=clock) as job:
        run = job.run
        refresh = _plan(job, folder, key, everybody=everybody)
        workers = ThreadPoolExecutor(TABLES_AT_ONCE)
        with run.step("write"), damage_told(refresh), workers as tables:
            counts = tables.map(lambda name: _write(job, refresh, name), MART)
            rows = dict(zip(MART, counts, strict=True))
        run.require_lease()
        _publish(refresh, run, rows)
        if run.metrics["read"] == "changed":
            run.counts["users"] = len(refresh.changed)
        run.counts["rows"] = sum(rows.values())
    return job.run.report()


@contextmanager
def damage_told(refresh: Refresh) -> Generator[None]:
    """Say what to do where a file of the version before cannot be read.

    Raises:
        BadMart: in place of what Spark says of the file.
    """
    try:
        yield
    except Exception as problem:
        if refresh.before is not None and exhaustion_of(problem) is None:
            signs = [refresh.before.version, *DAMAGE]
            refresh.folder.require_readable(causes(problem), signs)
        raise


def _publish(refresh: Refresh, run: Run, rows: Mapping[str, int]) -> None:
    """Let readers see the version: all of it is there."""
    refresh.folder.publish(
        Manifest(
            version=refresh.version,
            as_of=run.started_at,
            read_until=run.all_read_until,
            layout=refresh.layout,
            key_id=key_id(refresh.key),
            rows=rows,
            database_id=refresh.database_id,
        )
    )


def _plan(job: Job, folder: MartFolder, key: bytes, *, everybody: bool) -> Refresh:
    """What this refresh reads, and from which version it copies the rest."""
    spark, run = job.spark(), job.run
    if not job.config.spark.master.startswith("local"):
        _require_shared(spark, job.config.paths.mart)
    with run.step("changes"):
        database_id, layout = _database_id(job), copies_digest()
        for name, function in FUNCTIONS.items():
            spark.udf.register(name, function, IntegerType())
        before = None
        if not everybody:
            made_of = (layout, key_id(key), database_id)
            before = _reusable_version(folder, made_of, run.started_at)
        changed: Mapping[UUID, Sequence[str]] = {}
        if before is not None:
            changed = asyncio.run(_changed(job.database, before.read_until, run.started_at))
        run.metrics["read"] = "changed" if before else "all"
        return Refresh(
            spark=spark,
            keyspace=job.keyspace,
            folder=folder,
            before=before,
            changed=changed,
            version=str(run.run_id),
            placeholders={**pseudonyms(), **_run_ids(job.database)},
            key=key,
            database_id=database_id,
            layout=layout,
        )


async def _changed(
    database: Database, since: datetime, until: datetime
) -> dict[UUID, Sequence[str]]:
    """People with changes since then, each with the months that may hold their rows."""
    people = sorted(await Changes(database).since(since, until))
    user_rows = UserRows(database)
    months = await map_concurrently(partial(user_rows.months, now=until), people, PEOPLE_AT_ONCE)
    return dict(zip(people, months, strict=True))


def _database_id(job: Job) -> str:
    """An id of the keyspace: that of one of its tables, which is a new one wherever it is made.

    A restored database has another one as well: the mart may hold people who are not in it.
    """
    cql = "SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'users'"
    [table] = job.database.execute(cql, (job.keyspace,))
    return str(table.id)


def _reusable_version(
    folder: MartFolder, made_of: tuple[str, str, str], now: datetime
) -> Manifest | None:
    """The version that may be copied from: of this layout, key id and database id."""
    try:
        manifest = folder.manifest()
    except NoMart:
        return None
    same = made_of == (manifest.layout, manifest.key_id, manifest.database_id)
    return manifest if same and now - manifest.read_until < CHANGES_KEPT else None


def _run_ids(database: Database) -> dict[str, str]:
    """Which runs are served, and which were withdrawn."""
    live = [asyncio.run(LiveRuns(database).read(family)) for family in BATCH_FAMILIES]
    withdrawn = asyncio.run(Champions(database).withdrawn())
    return {
        "live": _sql_list([str(live_run.run_id) for live_run in live if live_run]),
        "withdrawn": _sql_list([str(run_id) for run_id in withdrawn]),
    }


def _sql_list(ids: Sequence[str]) -> str:
    return ", ".join(f"'{run_id}'" for run_id in ids) or "'none'"


def _require_shared(spark: SparkSession, folder: Path) -> None:
    """Refuse executors that would write to a folder of their own: their rows would be nowhere.

    Raises:
        BadConfig: one of them does not see the driver's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        shared = _seen_by_executors(spark, probe.name)
    if not shared:
        raise BadConfig(
            f"paths.mart ({folder}) is another folder where Spark's executors run.",
            field="paths.mart",
            value=str(folder),
            next_step="name one that all machines share, or refresh with spark.master: local[2] "
            "and set schedule.jobs.mart to ''",
        )


def _seen_by_executors(spark: SparkSession, path: str) -> bool:
    """Whether all executors see a file."""
    slices = 4 * spark.sparkContext.defaultParallelism  # so that every one of them answers
    numbers = spark.sparkContext.parallelize(range(slices), slices)
    return all(numbers.map(lambda _: os.path.exists(path)).collect())


def _write(job: Job, refresh: Refresh, name: str) -> int:
    """Write one table; tells how many rows it has.

    Raises:
        IncompleteRun: no file is there; Spark writes one even where there is no row.
    """
    path = refresh.folder.path / refresh.version / name
    frame = evaluations(refresh) if name == "evaluations" else frame_of(refresh, name)
    # Not coalesce: on the connector's partitions it waits for ever for a place to run.
    frame.repartition(refresh.spark.sparkContext.defaultParallelism).write.parquet(file_url(path))
    files = list(path.glob("*.parquet"))
    if not files:
        raise IncompleteRun(f"Spark wrote {name}, and none of it is in {path}; the mart stays.")
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    job.progress.step(f"mart: {name}", rows, rows)
    return rows
