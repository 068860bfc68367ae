"""`muvr up` and `muvr down`: node, tables and service are started, and stopped."""

import os
from dataclasses import dataclass

import typer

from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from store.node.owner import require_restored


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(up)
    app.command()(down)


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
        NodeFailed: a node does not start, or runs without the roles that are configured, at another
            port, or with the files of a restore that was interrupted.
    """
    service = context.service
    embedded = context.config.cassandra.own_node
    own_node = embedded and not context.node.await_answer()
    if embedded and not own_node:
        context.node.require_roles()
        require_restored(context.node.folders)
        context.node.require_port()
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
            context.service.stop()
            terminal.step("stopping service", 1, 1)
        if started.node and context.config.cassandra.own_node:
            context.stop_node()


def up(conf: Conf = None, as_json: AsJson = False) -> None:
    """Start the node and the service in the background.

    A service that runs already is left as it is; where it is of another release, this is said.

    Example: `muvr up && curl http://127.0.0.1:8080/readyz`
    """
    context = open_context(conf, as_json=as_json)
    folder = context.node.folders.root
    is_new = context.config.cassandra.own_node and not os.path.exists(folder / "data")
    start_all(context, Started())
    if is_new:
        context.terminal.notes(
            [f"{folder} held no database: this one is new. If there was one, is its disk mounted?"]
        )
    service = context.service
    context.terminal.say(f"Muvr answers at {service.url} (page at /, documentation at /docs).")
    if next_step := service.other_release():  # not restarted here: phones may be sending
        context.terminal.say(next_step)
    context.terminal.answer({"url": service.url, "next_step": next_step})


def down(conf: Conf = None, as_json: AsJson = False) -> None:
    """Stop the service and the node; the data stays.

    Example: `muvr down`
    """
    context = open_context(conf, as_json=as_json)
    service = context.service
    running = service.status().running
    node = context.config.cassandra.own_node and context.node.status().running
    stop_all(context, Started(node=node, service=running))
    ran = "Stopped" if running or node else "Nothing ran"
    context.terminal.say(f"{ran}; the data is kept.")
    context.terminal.answer({"running": False})
