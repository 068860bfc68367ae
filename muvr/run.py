"""Commands that start, stop and look: up, down, status, doctor, migrate, config."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from muvr.context import CommandContext, open_context
from muvr.doctor import run_checks
from muvr.options import AsJson, Conf
from muvr.service import Service
from schemas.errors import BadInput, MuvrError
from store.node.owner import require_restored
from store.overview import MAX_COUNT, Overview, read_overview, shown
from store.roles import grants


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (up, down, status, doctor, migrate, config):
        app.command()(command)


@dataclass(slots=True)
class Started:
    """What this command has started, and so may stop."""

    node: bool = False
    service: bool = False


def start_all(context: CommandContext, started: Started) -> None:
    """Start node, tables and service, each only if it is not there yet.

    Args:
        context: of the command.
        started: updated as soon as each runs, so that a start that fails or is interrupted can be
            undone.

    Raises:
        NodeFailed: a node does not start, or runs without the roles that are configured, or with
            the files of a restore that was interrupted.
    """
    service = Service(context.config, context.conf_path)
    embedded = context.config.cassandra.own_node
    own_node = embedded and not context.node.status().ready
    if embedded and not own_node:
        context.node.require_roles()
        require_restored(context.node.folders)
    own_service = not service.status().running
    with context.terminal as terminal:
        if own_node:
            context.node.start(terminal)
            started.node = True
        context.migrate(with_roles=own_node and bool(context.config.cassandra.username))
        service.start(terminal)
        started.service = own_service


def stop_all(context: CommandContext, started: Started) -> None:
    """Stop the service, then the node."""
    with context.terminal as terminal:
        if started.service:
            terminal.step("stopping service", 0, 1)
            Service(context.config, context.conf_path).stop()
            terminal.step("stopping service", 1, 1)
        if started.node and context.config.cassandra.own_node:
            terminal.step("stopping Cassandra", 0, 1)
            context.node.stop()
            terminal.step("stopping Cassandra", 1, 1)


def up(conf: Conf = None, as_json: AsJson = False) -> None:
    """Start the node and the service in the background.

    A service that runs already is left as it is; where it is of another release, this is said.

    Example: `muvr up && curl http://127.0.0.1:8080/readyz`
    """
    context = open_context(conf, as_json=as_json)
    start_all(context, Started())
    service = Service(context.config, context.conf_path)
    context.terminal.say(f"Muvr answers at {service.url} (page at /, documentation at /docs).")
    if next_step := service.other_release():  # not restarted here: phones may be sending
        context.terminal.say(next_step)
    context.terminal.answer({"url": service.url, "next_step": next_step})


def down(conf: Conf = None, as_json: AsJson = False) -> None:
    """Stop the service and the node; the data stays.

    Example: `muvr down`
    """
    context = open_context(conf, as_json=as_json)
    service = Service(context.config, context.conf_path)
    running = service.status().running
    node = context.config.cassandra.own_node and context.node.status().running
    stop_all(context, Started(node=node, service=running))
    ran = "Stopped" if running or node else "Nothing ran"
    context.terminal.say(f"{ran}; the data is kept.")
    if unheld := service.unheld():
        context.terminal.say(unheld)
    context.terminal.answer({"running": False})


def status(conf: Conf = None, as_json: AsJson = False) -> None:
    """Show node, service, tables, users, sets, models and the last job runs.

    Example: `muvr status --json`
    """
    context = open_context(conf, as_json=as_json)
    answer: dict[str, Any] = {
        "node": asdict(context.node.status()) if context.config.cassandra.own_node else None,
        "service": asdict(Service(context.config, context.conf_path).status()),
    }
    try:
        answer |= _figures(context.run_async(read_overview))
    except MuvrError as problem:
        answer["database"] = str(problem)
    _show_status(context, answer)
    context.terminal.answer(answer)


def _figures(overview: Overview) -> dict[str, Any]:
    return {
        "counts": overview.counts,
        "counted_to": MAX_COUNT,
        "runs": [run._asdict() for run in overview.runs],
    }


def _show_status(context: CommandContext, answer: dict[str, Any]) -> None:
    terminal = context.terminal
    for name in ("node", "service"):
        known = answer[name] or {"outside cluster": ", ".join(context.config.cassandra.hosts)}
        terminal.table(name, ("what", "value"), known.items())
    if "database" in answer:
        terminal.say(f"No figures: {answer['database']}")
        return
    kept = [(name, shown(count)) for name, count in answer["counts"].items()]
    terminal.table("kept", ("what", "rows"), kept)
    runs = [(r["family"], r["status"], r["started_at"], r["counts"]) for r in answer["runs"]]
    terminal.table("last job runs", ("family", "status", "started", "counts"), runs)


def doctor(conf: Conf = None, as_json: AsJson = False) -> None:
    """Examine Java, ports, disk, durability, clock, tables and what runs; say what to do next.

    Example: `muvr doctor`
    """
    context = open_context(conf, as_json=as_json)
    findings = run_checks(context)
    rows = [(f.what, "ok" if f.ok else "NOT OK", f.says, f.next_step) for f in findings]
    context.terminal.table("doctor", ("what", "", "found", "next step"), rows)
    context.terminal.answer([asdict(f) for f in findings])
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


def migrate(
    roles: Annotated[
        bool, typer.Option("--roles", help="as a superuser: make the roles and give them rights")
    ] = False,
    show_roles: Annotated[
        bool, typer.Option("--show-roles", help="print the rights as CQL and change nothing")
    ] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Create or update the tables; safe to run from several machines at once.

    With --roles also the roles that cassandra.username, spark_username and migrations_username
    name, each with the least rights that work (docs/operating.md).

    Example: `muvr migrate`
    """
    context = open_context(conf, as_json=as_json)
    if (roles or show_roles) and not context.config.cassandra.username:
        raise BadInput(
            "Roles need names: set cassandra.username, spark_username and migrations_username",
            field="cassandra.username",
        )
    if show_roles:
        statements = [grant.cql for grant in grants(context.config.cassandra)]
        context.terminal.say("".join(f"{statement};\n" for statement in statements).rstrip())
        context.terminal.answer({"grants": statements})
        return
    with context.terminal:
        applied = context.migrate(with_roles=roles)
    context.terminal.say(f"Applied: {', '.join(applied) or 'nothing, all was there'}.")
    context.terminal.answer({"applied": list(applied)})


def config(conf: Conf = None, as_json: AsJson = False) -> None:
    """Show the settings in force, overrides of the environment included.

    Example: `MUVR_API__PORT=9000 muvr config --json`
    """
    context = open_context(conf, as_json=as_json)
    values = context.config.model_dump(mode="json")
    for section, keys in values.items():
        context.terminal.table(section, ("key", "value"), keys.items())
    context.terminal.answer(values)
