"""The embedded Cassandra: a process that outlives the command which started it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from schemas.config import Cassandra, Paths
from schemas.errors import FolderInUse, NodeFailed
from schemas.progress import NoProgress, Progress
from store.java import Java, find_java
from store.node.failure import explain_failure
from store.node.files import LOOPBACK, has_roles, write_files
from store.node.folders import Folders
from store.node.jars import cassandra_jars, cassandra_version, jar_of
from store.node.jmx import write_server_file
from store.node.owner import (
    NodeRecord,
    acquire,
    is_owned,
    read_record,
    require_restored,
    write_record,
)
from store.node.preflight import MIB, check_disk, check_ports
from store.processes import is_running

MAIN_CLASS = "org.apache.cassandra.service.CassandraDaemon"
_LISTENING = b"Starting listening for CQL clients"
# Native protocol v4: an OPTIONS request without a body, and the first bytes of its answer.
_OPTIONS = bytes.fromhex("040000000500000000")
_SUPPORTED = (0x84, 0x06)
_PAUSE_S = 0.05
STOPS_WITHIN_S = 60.0
ANSWERS_WITHIN_S = 30.0
"""How long a node that runs is waited for before it is taken for one that does not answer."""
_STARTING = "starting Cassandra"
# Cassandra's idle threads poll with sleeps of 10 µs or more, which Linux makes 60: at 500 chunks a
# second the node switched threads 77,000 times. With this timer slack sleeps may end later, which
# halves its work per chunk. Threads that wait for a sync are still woken at once.
_SLACK_NS = 1_000_000
# The shell exits at once: the node has no parent, leaves no zombie, and gets no Ctrl-C.
_DETACH = (
    f"{{ echo {_SLACK_NS} >/proc/self/timerslack_ns; }} 2>/dev/null; "  # there where Linux is
    'console=$1; shift; "$@" </dev/null >"$console" 2>&1 & echo $!'
)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The status of the node of a data folder.

    Attributes:
        running: a process owns the folder.
        ready: it answers CQL clients.
        failure: why it ended, if it was not stopped.
    """

    running: bool
    ready: bool
    data_dir: Path
    pid: int | None = None
    port: int | None = None
    version: str | None = None
    uptime_s: float | None = None
    rss_mb: float | None = None
    failure: str | None = None


class EmbeddedNode:
    """The Cassandra of one data folder. Stateless: the folder holds the state."""

    def __init__(self, config: Cassandra, paths: Paths) -> None:
        self.config = config
        self.folders = Folders(paths.data.absolute())
        self.paths = paths

    def start(
        self,
        progress: Progress | None = None,
        *,
        within_s: float = 120.0,
        restoring: bool = False,
    ) -> None:
        """Start the node and wait until it answers CQL clients.

        Args:
            progress: reports the start.
            within_s: seconds after which a node that does not answer is killed.
            restoring: also where a restore is not finished, as the restore itself does.

        Raises:
            NoJava, BadJar: Java or a jar is missing.
            FolderInUse: another node uses the folder.
            PortBusy, DiskFull: a port is in use, or there is too little space.
            NodeFailed: it died, or was not ready in time and was killed; or a restore into its
                folder was interrupted.
        """
        java = find_java()
        jars = cassandra_jars(self.paths.jars, progress)
        ours = False
        try:
            with acquire(self.folders) as lock:
                if not restoring:
                    require_restored(self.folders)
                check_ports(self.config)
                check_disk(self.folders.root)
                ours = True
                self._launch(java, jars, lock)
            self._await_ready(progress or NoProgress(), within_s)
        except BaseException:  # also Ctrl-C: the caller does not know of the process
            if ours:  # otherwise the node that owns the folder would be killed
                self.kill()
            raise

    def stop(self) -> bool:
        """Stop the node gracefully; True if it stopped, or was not running.

        If it does not stop in time it is killed: acknowledged writes are in its commit log.
        """
        if self._terminate(signal.SIGTERM, within_s=STOPS_WITHIN_S):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """Kill the node, as a power failure would; returns when it has ended."""
        self._terminate(signal.SIGKILL, within_s=30.0)

    def require_roles(self) -> None:
        """Refuse a running node that lets everybody in, where roles are configured since.

        Raises:
            NodeFailed: it was started without roles.
        """
        if self.config.username and not has_roles(self.folders):
            raise NodeFailed(
                "Cassandra runs without roles: they were configured after it was started.",
                next_step="`muvr down`, then `muvr up`, which makes roles and passwords.",
            )

    def require_port(self) -> None:
        """Refuse a running node that listens at another port than the one that is configured.

        Raises:
            NodeFailed: as a restore that was killed leaves it, or with a setting of before.
        """
        record = read_record(self.folders)
        if record and record.port != self.config.port and is_owned(self.folders):
            raise NodeFailed(
                f"Cassandra runs on port {record.port}, and cassandra.port is {self.config.port}: "
                "a restore runs or was killed, or the setting was changed since.",
                next_step="`muvr down`, then `muvr up`.",
            )

    def status(self) -> NodeStatus:
        """The current status."""
        record = read_record(self.folders)
        if not is_owned(self.folders):
            failure = str(explain_failure(self.folders, self.config)) if record else None
            return NodeStatus(
                running=False, ready=False, data_dir=self.folders.root, failure=failure
            )
        if record is None:
            return NodeStatus(running=True, ready=False, data_dir=self.folders.root)
        uptime_s, rss_mb = _resource_usage(record.pid)
        return NodeStatus(
            running=True,
            ready=responds(record.port),
            data_dir=self.folders.root,
            pid=record.pid,
            port=record.port,
            version=record.version,
            uptime_s=uptime_s,
            rss_mb=rss_mb,
        )

    def await_answer(self, *, within_s: float = ANSWERS_WITHIN_S) -> bool:
        """Whether it answers CQL clients, now or before it ends or the time is over.

        One on a busy machine may take seconds, as does one that another command is starting.
        """
        deadline_s = time.monotonic() + within_s
        while not (status := self.status()).ready:
            if not status.running or time.monotonic() > deadline_s:
                return False
            time.sleep(_PAUSE_S)
        return True

    def _launch(self, java: Java, jars: list[Path], lock: IO[bytes]) -> None:
        """Write the node's files and start its process, which inherits the folder's lock."""
        shutil.rmtree(self.folders.tmp, ignore_errors=True)
        arguments = write_files(self.config, self.folders, jars, jar_of(jars, "jamm"))
        write_server_file(self.config, self.folders, self.paths.secrets)
        if self.folders.log.exists():
            self.folders.log.replace(self.folders.previous_log)
        command = [str(java.program), f"@{arguments}", MAIN_CLASS]
        started = subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", str(self.folders.console), *command],
            stdout=subprocess.PIPE,
            cwd=self.folders.root,
            env=_environment(),
            pass_fds=[lock.fileno()],
            start_new_session=True,
            check=True,
        )
        version = cassandra_version(jars)
        write_record(self.folders, NodeRecord(int(started.stdout), self.config.port, version))

    def _await_ready(self, progress: Progress, within_s: float) -> None:
        begin_s = time.monotonic()
        progress.step(_STARTING, 0, 1)
        while not self._is_ready():
            elapsed_s = time.monotonic() - begin_s
            if not is_owned(self.folders):
                raise explain_failure(self.folders, self.config)
            if elapsed_s > within_s:
                raise NodeFailed(
                    f"Cassandra was not ready within {within_s:.0f} s and was ended. "
                    f"{explain_failure(self.folders, self.config, is_running=True)}"
                )
            time.sleep(_PAUSE_S)
        progress.step(_STARTING, 1, 1)

    def _is_ready(self) -> bool:
        """Whether its log reports it (the port may be another process's) and the port responds."""
        log = self.folders.log
        return log.exists() and _LISTENING in log.read_bytes() and responds(self.config.port)

    def _terminate(self, how: signal.Signals, within_s: float) -> bool:
        """Signal the node and wait; whether it has ended."""
        if not is_owned(self.folders):
            return True
        pid = self._pid()
        _signal(pid, how)
        # The folder's lock is released a moment before the process ends and frees its ports.
        if not _wait_until(lambda: not is_owned(self.folders) and not is_running(pid), within_s):
            return False
        with suppress(OSError):  # a read-only disk keeps it; the lock is what counts
            self.folders.record.unlink()
        return True

    def _pid(self) -> int:
        """The node's process; found by its command line if the starter left no record."""
        if record := read_record(self.folders):
            return record.pid
        wanted = f"@{self.folders.conf / 'java.args'}"
        for process in psutil.process_iter(["cmdline"]):
            if wanted in (process.info["cmdline"] or ()):
                return process.pid
        raise FolderInUse(f"{self.folders.root} is just being taken by another command; try again.")


def _environment() -> dict[str, str]:
    """Java cannot open a folder whose name the locale's encoding lacks: of the C locale, most."""
    locale = {"LC_ALL": "C.UTF-8"} if os.environ.get("LC_ALL") in ("C", "POSIX") else {}
    return {**os.environ, **locale}


def responds(port: int, *, within_s: float = 1.0) -> bool:
    """Whether a Cassandra answers an OPTIONS request on the loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), within_s) as connection:
            connection.settimeout(within_s)
            connection.sendall(_OPTIONS)
            head = connection.recv(9)
    except OSError:
        return False
    return len(head) >= 5 and (head[0], head[4]) == _SUPPORTED


def _signal(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:  # it has just ended
        return


def _wait_until(condition: Callable[[], bool], within_s: float) -> bool:
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_PAUSE_S)
    return True


def _resource_usage(pid: int) -> tuple[float | None, float | None]:
    """Uptime in seconds and resident megabytes of a process; None if it has just ended."""
    try:
        process = psutil.Process(pid)
        return round(time.time() - process.create_time(), 1), round(
            process.memory_info().rss / MIB, 1
        )
    except psutil.NoSuchProcess:
        return None, None
