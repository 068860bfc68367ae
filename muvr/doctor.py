"""`muvr doctor`: checks of this machine and deployment, with the next step for each finding."""

import socket
import time
from collections.abc import Callable
from ctypes import CDLL
from dataclasses import asdict, dataclass
from functools import partial
from resource import RLIM_INFINITY

import numpy as np
import typer

from api.open_files import most_files, too_few_files
from models.compiled import compiled
from models.exercise.kernel import features
from models.exercise.quantised import VERSION as KEPT_VERSION
from models.exercise.scores import VERSION as SCORES_VERSION
from models.reps.cover import VERSION as COVER_VERSION
from models.signal.planes import split
from models.signal.windows import WINDOW
from muvr.context import CommandContext, open_context
from muvr.disks import disks_of
from muvr.options import AsJson, Conf
from schemas.errors import MuvrError
from schemas.plurals import plural
from schemas.times import aware, server_time
from store.durability import durability_of
from store.java import find_java
from store.migrate import check_schema
from store.node.files import LOOPBACK
from store.node.preflight import bind_error
from store.watermarks import MAX_CLOCK_SKEW

PORT_WITHIN_S = 2.0
CLOCK_NEWER_THAN = 1_770_000_000  # 2026-02-02: a machine before that has no clock


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(doctor)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    what: str
    ok: bool
    says: str
    next_step: str = ""


def doctor(conf: Conf = None, as_json: AsJson = False) -> None:
    """Examine Java, ports, disks, durability, clock, tables and what runs; say what to do next.

    Example: `muvr doctor`
    """
    context = open_context(conf, as_json=as_json)
    findings = run_checks(context)
    rows = [(f.what, "ok" if f.ok else "NOT OK", f.says, f.next_step) for f in findings]
    context.terminal.table("doctor", ("what", "", "found", "next step"), rows)
    context.terminal.answer([asdict(f) for f in findings])
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


def run_checks(context: CommandContext) -> list[Finding]:
    """Run all checks; an error in one does not stop the others."""
    checks: dict[str, Callable[[CommandContext], Finding]] = {
        "java": _java,
        "kernel": _kernel,
        "disk": _disk,
        "open_files": _open_files,
        "clock": _clock,
        "clocks": _clocks,
        "port": _port,
        "storage_port": partial(_own_port, setting="storage_port"),
        "jmx_port": partial(_own_port, setting="jmx_port"),
        "api_port": _api_port,
        "node": _node,
        "durability": _durability,
        "tables": _tables,
        "service": _service,
    }
    return [_safely(what, check, context) for what, check in checks.items()]


def _safely(
    what: str, check: Callable[[CommandContext], Finding], context: CommandContext
) -> Finding:
    try:
        return check(context)
    except MuvrError as problem:
        return Finding(what, ok=False, says=problem.message, next_step=problem.next_step)
    except OSError as problem:
        denied = isinstance(problem, PermissionError)
        next_step = "give this user the right to read it" if denied else "look at that file or disk"
        return Finding(what, ok=False, says=_said(problem), next_step=next_step)


def _said(problem: OSError) -> str:
    """What the system says, and of which file."""
    if problem.filename is None:
        return str(problem)
    return f"{problem.strerror}: {problem.filename}"


def _java(context: CommandContext) -> Finding:
    return Finding("java", ok=True, says=f"Java 17 at {find_java().home}")


def _kernel(context: CommandContext) -> Finding:  # it belongs to the environment
    features(np.empty((0, 3, WINDOW), dtype=np.float32), None)
    split(np.zeros((1, 3), dtype=np.int16))
    compiled("scores", SCORES_VERSION, CDLL)
    compiled("quantised", KEPT_VERSION, CDLL)
    compiled("cover", COVER_VERSION, CDLL)
    says = "compiled features, scores, kept windows, covers and codec of this release"
    return Finding("kernel", ok=True, says=says)


def _disk(context: CommandContext) -> Finding:
    disks = disks_of(context.config)
    short = [name for disk in disks for name in disk.short]
    says = "; ".join(f"{disk.free_gb:.1f} GB free for {', '.join(disk.folders)}" for disk in disks)
    next_step = f"free space, or move {', '.join(short)}" if short else ""
    return Finding("disk", ok=not short, says=says, next_step=next_step)


def _open_files(context: CommandContext) -> Finding:
    """Whether the service, started from here, may have all its connections."""
    to_do = too_few_files(context.config.api.connections, most_files())
    count = "any number of" if most_files() == RLIM_INFINITY else f"{most_files():,}"
    says = f"the service may open {count} files"
    return Finding("open_files", ok=not to_do, says=says, next_step=to_do)


def _clock(context: CommandContext) -> Finding:
    now = time.time()
    good = now > CLOCK_NEWER_THAN
    return Finding(
        "clock",
        ok=good,
        says=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        next_step="" if good else "set the system clock: ids and tokens carry its time",
    )


def _clocks(context: CommandContext) -> Finding:
    """Whether this machine's clock agrees with Cassandra's.

    The watermarks of jobs that ran with a fast clock would stay ahead after it was corrected.
    """
    with context.database() as database:
        [row] = database.execute("SELECT toTimestamp(now()) AS at FROM system.local")
    apart_s = (server_time() - aware(row.at)).total_seconds()
    good = abs(apart_s) < MAX_CLOCK_SKEW.total_seconds()
    return Finding(
        "clocks",
        ok=good,
        says=f"{apart_s:+.1f} s from Cassandra's",
        next_step="" if good else "let the time service (NTP) set this machine's and Cassandra's",
    )


def _port(context: CommandContext) -> Finding:
    """The port of the native protocol: free for the node, or answered by an outside cluster."""
    if context.config.cassandra.own_node:
        return _own_port(context, setting="port")
    port, hosts = context.config.cassandra.port, context.config.cassandra.hosts
    for host in hosts:
        if _answers(host, port):
            return Finding("port", ok=True, says=f"{port} is answered by {host}")
    return Finding(
        "port",
        ok=False,
        says=f"{port} is not answered by {', '.join(hosts)}",
        next_step="start the cluster, or set cassandra.contact_points or cassandra.port",
    )


def _answers(host: str, port: int) -> bool:
    """Whether a machine accepts connections to a port."""
    try:
        with socket.create_connection((host, port), timeout=PORT_WITHIN_S):
            return True
    except OSError:  # nobody listens, nobody answers in time, or the name leads nowhere
        return False


def _own_port(context: CommandContext, *, setting: str) -> Finding:
    """A port of the embedded node is fine when it is free, or when the node itself listens."""
    if not context.config.cassandra.own_node:
        return Finding(setting, ok=True, says="not needed: the cluster is outside")
    port = int(getattr(context.config.cassandra, setting))
    status = context.node.status()
    ours = status.running and (setting != "port" or status.port in (None, port))
    return _listening(setting, f"cassandra.{setting}", LOOPBACK, port, ours=ours)


def _api_port(context: CommandContext) -> Finding:
    """The service's port, likewise."""
    api = context.config.api
    ours = context.service.status().running and _answers(api.host, api.port)
    return _listening("api_port", "api.port or api.host", api.host, api.port, ours=ours)


def _listening(what: str, setting: str, host: str, port: int, *, ours: bool) -> Finding:
    hindered = "" if ours else bind_error(port, host)
    return Finding(
        what,
        ok=not hindered,
        says=f"{host}:{port}: {hindered or ('ours' if ours else 'free')}",
        next_step=f"stop who listens there, or set {setting}" if hindered else "",
    )


def _node(context: CommandContext) -> Finding:
    if not context.config.cassandra.own_node:
        return Finding(
            "node", ok=True, says=f"outside: {', '.join(context.config.cassandra.hosts)}"
        )
    context.node.require_port()
    status = context.node.status()
    return Finding(
        "node",
        ok=status.ready,
        says=f"process {status.pid}" if status.running else "not running",
        next_step="" if status.ready else "muvr up",
    )


def _service(context: CommandContext) -> Finding:
    """The service may be stopped on a machine that is well; one that runs has to answer."""
    service = context.service
    status = service.status()
    if not status.running:
        return Finding("service", ok=True, says="not running", next_step="muvr up")
    return Finding(
        "service",
        ok=status.ready,
        says=f"process {status.pid}, {'ready' if status.ready else 'not ready'} at {status.url}",
        next_step="" if status.ready else f"see /readyz, and {status.log}",
    )


def _durability(context: CommandContext) -> Finding:
    with context.database() as database:
        durability = durability_of(database, context.config.cassandra)
        durability.require()
    says = f"commit log {durability.commitlog_sync}, {plural(durability.replication, 'replica')}"
    return Finding("durability", ok=True, says=says)


def _tables(context: CommandContext) -> Finding:
    with context.database() as database:
        check_schema(database, context.config.cassandra)
    return Finding("tables", ok=True, says="all migrations applied, layout as this code expects")
