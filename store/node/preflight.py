"""Checks before a node is started: free ports and disk space."""

import contextlib
import errno
import shutil
import socket
from pathlib import Path

import psutil

from schemas.config import Cassandra
from schemas.errors import DiskFull, PortBusy
from store.node.files import COMMITLOG_TOTAL_MIB, LOOPBACK

MIB = 1 << 20
# The commit log may be full, and as much again is flushed before its segments are recycled.
NEEDED_MIB = 2 * COMMITLOG_TOTAL_MIB
PORT_SETTINGS = ("port", "storage_port", "jmx_port")


def check_ports(config: Cassandra) -> None:
    """Refuse to start on a port that is in use.

    Raises:
        PortBusy: names the port, its setting and, if visible, the process that uses it.
    """
    for setting in PORT_SETTINGS:
        port = int(getattr(config, setting))
        if not is_free(port):
            raise PortBusy(port_busy(setting, port))


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    return not bind_error(port)


def bind_error(port: int, host: str = LOOPBACK) -> str:
    """Why a server cannot listen on a port of this machine now; "" if it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            return f"in use by {_listener(port)}"
        return problem.strerror or str(problem)
    return ""


def port_busy(setting: str, port: int) -> str:
    """The message for a port in use."""
    owner = _listener(port)
    return (
        f"Port {port} (cassandra.{setting}) is in use by {owner}. Stop that, or choose another "
        f"port in conf.yaml or with MUVR_CASSANDRA__{setting.upper()}."
    )


def check_disk(root: Path, *, needed_mib: int = NEEDED_MIB) -> None:
    """Refuse to start a node without enough space for its commit log.

    Raises:
        DiskFull: less than `needed_mib` is free on the disk of `root`.
    """
    free_mib = shutil.disk_usage(root).free // MIB
    if free_mib < needed_mib:
        raise DiskFull(
            f"Only {free_mib} MiB are free on the disk of {root}, Cassandra needs {needed_mib} MiB "
            "to start. Free some space, or set paths.data to a folder on another disk."
        )


def _listener(port: int) -> str:
    """The process that listens on a port, if this user may see it."""
    try:
        for socket_ in psutil.net_connections("tcp"):
            listens = socket_.status == psutil.CONN_LISTEN and socket_.laddr[1:] == (port,)
            if listens and socket_.pid:
                return f"{psutil.Process(socket_.pid).name()} (process {socket_.pid})"
    except psutil.Error:  # processes of other users are not visible, and one may have just ended
        return "another process"
    return "another process"
