"""A temporary deployment for measurements: node and service as processes, removed afterwards.

It lies under `paths.reports`, on the disk of the checkout: in a folder in memory every fsync would
be free, and every figure wrong.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import yaml

from muvr.context import CommandContext
from muvr.service import Service
from schemas.config import Cassandra, Config
from schemas.config_file import load_config
from schemas.progress import NoProgress, Progress
from store.connection import connect
from store.database import Database
from store.migrate import migrate
from store.node.preflight import free_ports
from store.node.process import EmbeddedNode
from store.processes import is_running

# Limits are there for people; a load generator is thousands of them behind a few tokens.
NO_LIMITS = {
    "requests_per_minute": 10**9,
    "samples_per_day": 10**13,
    "logins_per_minute": 10**6,
}
ACCESS_MINUTES = 600.0
PASSWORD = "only for this benchmark"  # noqa: S105 of accounts that are gone afterwards


@dataclass(frozen=True)
class Deployment:
    """A node and a service in one folder."""

    config: Config
    conf_path: Path
    node: EmbeddedNode
    service: Service

    def restart_service(self, progress: Progress | None = None, **api: object) -> "Deployment":
        """The same node under a service with other settings of section `api`."""
        self.service.stop()
        return _started_service(self.config, self.conf_path.parent, progress or NoProgress(), api)

    def database(self, keyspace: str | None = None) -> Database:
        """A connection of the caller's own; close it."""
        return connect(self.config.cassandra, keyspace=keyspace or self.config.cassandra.keyspace)

    def register(self, name: str) -> str:
        """The access token of somebody new."""
        response = httpx.post(
            f"{self.service.url}/v1/auth/register",
            json={"username": name, "password": PASSWORD},
            timeout=30,
            trust_env=False,  # the environment's proxy is for addresses elsewhere
        )
        return str(response.raise_for_status().json()["access_token"])

    def kill_node(self) -> bool:
        """End the node as a power failure would; whether a running one ended."""
        pid = self.node.status().pid
        if pid is None:
            return False
        self.node.kill()
        return not is_running(pid)

    def kill_service(self) -> bool:
        """End the service, workers included, as the kernel would when memory runs out.

        Returns:
            whether it ended a process that was running.
        """
        ended = [_kill(process) for process in reversed(self.service_processes())]
        return any(ended)

    def service_processes(self) -> list[psutil.Process]:
        """The service's processes: the one that was started, and its workers."""
        pid = self.service.status().pid
        if pid is None:
            return []
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]

    def service_cpu_s(self) -> float:
        """CPU seconds that the service has used so far, user and system."""
        return sum(cpu_s(process) for process in self.service_processes())

    def node_cpu_s(self) -> float:
        """CPU seconds that the node has used so far."""
        pid = self.node.status().pid
        return 0.0 if pid is None else cpu_s(psutil.Process(pid))


@contextmanager
def deployed(context: CommandContext) -> Generator[Deployment]:
    """A fresh deployment with the settings of conf.yaml but for its folder, ports and limits."""
    with _started_node(context) as (config, _, folder):
        migrate(config.cassandra, progress=context.terminal)
        started = _started_service(config, folder, context.terminal, {})
        try:
            yield started
        finally:
            started.kill_service()


@contextmanager
def node_only(context: CommandContext) -> Generator[tuple[Config, EmbeddedNode]]:
    """A fresh node without a service, gone afterwards; nothing is migrated yet."""
    with _started_node(context) as (config, node, _):
        yield config, node


@contextmanager
def _started_node(context: CommandContext) -> Generator[tuple[Config, EmbeddedNode, Path]]:
    """Settings of a benchmark's own, a node under way, and the folder of both; gone afterwards."""
    reports = context.config.paths.reports
    reports.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=reports))
    config = _settings(context, folder)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        node = EmbeddedNode(config.cassandra, config.paths)
        stack.callback(node.kill)
        node.start(context.terminal)
        yield config, node, folder


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds of one process, its threads included; 0 when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _settings(context: CommandContext, folder: Path) -> Config:
    port, storage_port, jmx_port, http_port = free_ports(4)
    config = context.config
    alone = Cassandra()  # the settings of a cluster are not for the embedded node
    paths = config.paths.model_copy(
        update={"data": folder / "node", "run": folder / "run", "secrets": folder / "secrets"}
    )
    cassandra = config.cassandra.model_copy(
        update={
            "embedded": True,
            "contact_points": (),
            "local_dc": alone.local_dc,
            "replication": alone.replication,
            "consistency": alone.consistency,
            "port": port,
            "storage_port": storage_port,
            "jmx_port": jmx_port,
        }
    )
    return config.model_copy(
        update={
            "paths": paths,
            "cassandra": cassandra,
            "api": config.api.model_copy(update={"host": "127.0.0.1", "port": http_port}),
            "auth": config.auth.model_copy(update={"access_minutes": ACCESS_MINUTES}),
            "limits": config.limits.model_copy(update=NO_LIMITS),
        }
    )


def _started_service(
    config: Config, folder: Path, progress: Progress, api: Mapping[str, object]
) -> Deployment:
    config = config.model_copy(update={"api": config.api.model_copy(update=dict(api))})
    conf_path = folder / "conf.yaml"
    conf_path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    config = load_config(conf_path)
    service = Service(config, conf_path)
    service.start(progress)
    return Deployment(config, conf_path, EmbeddedNode(config.cassandra, config.paths), service)


def _kill(process: psutil.Process) -> bool:
    """End a process and wait until it is gone; False when it was gone before.

    Raises:
        psutil.TimeoutExpired: it is still there.
    """
    try:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    return True
