"""Connects a worker to Cassandra: at its start, or as soon as Cassandra is available."""

import asyncio

from api.authenticator import Authenticator
from api.cursors import Cursors
from api.decoders import DECODERS
from api.dependencies import Services
from api.keys import KeyRing
from api.measure import Measurer
from api.metrics import Metrics
from api.model_cache import ModelCache
from api.model_forms import ModelForms
from api.rate_limiter import RateLimiter
from api.recognise import Recogniser
from api.request_log import RequestLog
from api.sweep_task import SweepTask
from api.tokens import Tokens
from ingest.recorder import Recorder
from schemas.config import Config
from schemas.errors import DatabaseUnavailable, MuvrError
from schemas.times import server_time
from store.champions import Champions
from store.credentials import open_as
from store.database import Database
from store.durability import durability_of
from store.logins import Logins
from store.migrate import check_schema
from store.models import Models
from store.reactor import LoopThread
from store.records import records_in
from store.users import Users

RETRY_S = 1.0


class DatabaseConnector:
    """Retries until the database is available; then builds the services and starts to sweep.

    Attributes:
        services: None until the database is available.
        not_ready_reason: why there are none yet.
    """

    def __init__(self, config: Config, metrics: Metrics, log: RequestLog | None) -> None:
        self.services: Services | None = None
        self._config = config
        self._metrics = metrics
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._sweep_task: SweepTask | None = None
        self.not_ready_reason = "Cassandra has not been reached yet."

    async def open(self) -> None:
        """Try once, then retry in the background."""
        await self._try_connect()
        self._task = asyncio.create_task(self._retry_then_sweep())

    async def close(self) -> None:
        """Stop retrying and close what is open."""
        if self._task is not None:
            self._task.cancel()
        if self._sweep_task is not None:
            self._sweep_task.close()
        services, self.services = self.services, None
        if services is not None:
            await asyncio.to_thread(services.database.close)
            services.rate_limiter.close()

    async def _retry_then_sweep(self) -> None:
        """Retry until the database is available, then sweep once a minute."""
        while self.services is None:
            await asyncio.sleep(RETRY_S)
            try:
                await self._try_connect()
            except MuvrError as problem:  # a setting that became invalid, or is read only now
                self.not_ready_reason = str(problem)
            except Exception as problem:  # noqa: BLE001 (else /readyz says no until a restart)
                self.not_ready_reason = f"{type(problem).__name__}: {problem}"
        lock_path = self._config.paths.run / "sweeper.lock"
        self._sweep_task = SweepTask(self.services, lock_path, self._log)
        await self._sweep_task.run()

    async def _try_connect(self) -> None:
        """Try once to connect and to build the services.

        Raises:
            BadConfig: a key or a setting cannot be read.
            OSError: a file of the service cannot be opened.
        """
        try:
            database = await asyncio.to_thread(self._connect, LoopThread.current())
        except MuvrError as problem:
            unavailable = isinstance(problem, DatabaseUnavailable)
            self.not_ready_reason = "Cassandra does not answer." if unavailable else str(problem)
            return
        try:
            self.services = build_services(self._config, database, self._metrics)
        except BaseException:  # a file or a folder that cannot be used, too
            await asyncio.to_thread(database.close)
            raise
        self.not_ready_reason = ""

    def _connect(self, loop_thread: LoopThread) -> Database:
        """A connection to a keyspace with this code's schema and durable writes.

        Raises:
            DatabaseUnavailable, SchemaMismatch, NotDurable.
        """
        cassandra = self._config.cassandra
        database = open_as(self._config, "service", loop_thread=loop_thread)
        try:
            check_schema(database, cassandra)
            durability_of(database, cassandra).require()
        except BaseException:
            database.close()
            raise
        return database


def build_services(config: Config, database: Database, metrics: Metrics) -> Services:
    """The services of a worker, on one database connection."""
    ring = KeyRing(config.paths.secrets, config.api.host)
    tokens = Tokens(config.auth, ring)
    logins, users = Logins(database), Users(database)
    records = records_in(database, config.limits)
    models = ModelCache(
        Models(database),
        Champions(database),
        DECODERS,
        metrics,
        capacity_bytes=config.api.model_cache_mb * 2**20,
        pointer_ttl_s=config.api.pointer_ttl_s,
    )
    return Services(
        config=config,
        database=database,
        records=records,
        recorder=Recorder(records, config.limits, server_time),
        models=models,
        model_forms=ModelForms(),
        recogniser=Recogniser(records, models),
        measurer=Measurer(records, models),
        users=users,
        logins=logins,
        tokens=tokens,
        authenticator=Authenticator(tokens, logins, users, config.api.pointer_ttl_s),
        rate_limiter=RateLimiter(
            config.limits, config.paths.run / "allowance", shared=config.api.workers > 1
        ),
        cursors=Cursors(ring.keys.cursor),
        metrics=metrics,
        clock=server_time,
    )
