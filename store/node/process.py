"""The embedded Cassandra: one process of its own that outlives the command which started it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from schemas.config import Cassandra, Paths
from schemas.errors import FolderInUse, NodeFailed
from schemas.progress import NoProgress, Progress
from store.java import Java, find_java
from store.node.failure import explain_failure
from store.node.files import LOOPBACK, write_files
from store.node.folders import Folders
from store.node.jars import cassandra_jars, jar_of, version_of
from store.node.owner import NodeRecord, acquire, is_owned, read_record, write_record
from store.node.preflight import MIB, check_disk, check_ports

MAIN_CLASS = "org.apache.cassandra.service.CassandraDaemon"
_LISTENING = b"Starting listening for CQL clients"
# Native protocol v4: an OPTIONS request without a body, and the first bytes of its answer.
_OPTIONS = bytes.fromhex("040000000500000000")
_SUPPORTED = (0x84, 0x06)
_PAUSE_S = 0.05
_STARTING = "starting Cassandra"
# A thread of Cassandra's that looks for work sleeps from 10 µs on at a time, which Linux makes 60:
# at 500 chunks a second the node changed threads 77,000 times. Sleeps may end this much later
# instead, which halves what a chunk costs it. Whoever waits for a sync is woken at once, as ever.
_SLACK_NS = 1_000_000
# The shell ends at once: the node belongs to nobody, leaves no zombie, and hears no Ctrl-C.
_DETACH = (
    f"{{ echo {_SLACK_NS} >/proc/self/timerslack_ns; }} 2>/dev/null; "  # there where Linux is
    'console=$1; shift; "$@" </dev/null >"$console" 2>&1 & echo $!'
)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What can be said about the node of a data folder without changing anything.

    Attributes:
        running: a process owns the folder.
        ready: it answers CQL clients.
        says: why it is gone, when it ended without being stopped.
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
    """The Cassandra of one data folder. Holds no state of its own: the folder is the state."""

    def __init__(self, config: Cassandra, paths: Paths) -> None:
        self.config = config
        self.folders = Folders(paths.data.absolute())
        self.paths = paths

    def start(self, progress: Progress | None = None, *, within_s: float = 120.0) -> None:
        """Start the node and wait until it answers CQL clients.

        Raises:
            NoJava, BadJar: there is nothing to run it with.
            FolderInUse: another node lives on the folder.
            PortBusy, DiskFull: its surroundings do not allow it.
            NodeFailed: it died, or was not ready in time; it is not left behind.
        """
        java = find_java()
        jars = cassandra_jars(self.paths.jars, progress)
        ours = False
        try:
            with acquire(self.folders) as lock:
                check_ports(self.config)
                check_disk(self.folders.root)
                ours = True
                self._launch(java, jars, lock)
            self._await_ready(progress or NoProgress(), within_s)
        except BaseException:  # Ctrl-C as well: the caller does not know that there is a process
            if ours:  # else the node that owns the folder would be killed
                self.kill()
            raise

    def stop(self, *, within_s: float = 60.0) -> bool:
        """Ask the node to flush and end; True when it did, or was not running.

        One that does not end in time is killed: what it acknowledged is in its commit log.
        """
        if self._terminate(signal.SIGTERM, within_s):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """End the node as a power failure would; returns when it is gone."""
        self._terminate(signal.SIGKILL, within_s=30.0)

    def status(self) -> NodeStatus:
        """What runs on the folder now."""
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

    def _launch(self, java: Java, jars: list[Path], lock: IO[bytes]) -> None:
        """Write the node's files and start its process, which inherits the folder's lock."""
        shutil.rmtree(self.folders.tmp, ignore_errors=True)
        arguments = write_files(self.config, self.folders, jars, jar_of(jars, "jamm"))
        if self.folders.log.exists():
            self.folders.log.replace(self.folders.previous_log)
        command = [str(java.program), f"@{arguments}", MAIN_CLASS]
        started = subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", str(self.folders.console), *command],
            stdout=subprocess.PIPE,
            cwd=self.folders.root,
            pass_fds=[lock.fileno()],
            start_new_session=True,
            check=True,
        )
        version = version_of(jars, "cassandra-all")
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
                    f"{explain_failure(self.folders, self.config)}"
                )
            time.sleep(_PAUSE_S)
        progress.step(_STARTING, 1, 1)

    def _is_ready(self) -> bool:
        """Its own log says so (somebody else could sit on the port), and the port answers."""
        log = self.folders.log
        return log.exists() and _LISTENING in log.read_bytes() and responds(self.config.port)

    def _terminate(self, how: signal.Signals, within_s: float) -> bool:
        """Signal the node and wait; whether it is gone."""
        if not is_owned(self.folders):
            return True
        pid = self._pid()
        _signal(pid, how)
        # The folder is free a moment before the process is gone, and its ports with it.
        if not _wait_until(lambda: not is_owned(self.folders) and _is_gone(pid), within_s):
            return False
        self.folders.record.unlink(missing_ok=True)
        return True

    def _pid(self) -> int:
        """The process on the folder; a starter that was killed may have left no record of it."""
        if record := read_record(self.folders):
            return record.pid
        wanted = f"@{self.folders.conf / 'java.args'}"
        for process in psutil.process_iter(["cmdline"]):
            if wanted in (process.info["cmdline"] or ()):
                return process.pid
        raise FolderInUse(f"{self.folders.root} is just being taken by another command; try again.")


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
    except ProcessLookupError:  # it ended by itself a moment ago
        return


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has asked about yet is a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_until(condition: Callable[[], bool], within_s: float) -> bool:
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_PAUSE_S)
    return True


def _resource_usage(pid: int) -> tuple[float | None, float | None]:
    """Seconds since the process began and its resident megabytes; None when it just ended."""
    try:
        process = psutil.Process(pid)
        return round(time.time() - process.create_time(), 1), round(
            process.memory_info().rss / MIB, 1
        )
    except psutil.NoSuchProcess:
        return None, None
