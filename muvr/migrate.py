"""`muvr migrate`: the tables, and the roles that may use them."""

from typing import Annotated

import typer

from muvr.context import open_context
from muvr.options import AsJson, Conf
from schemas.errors import BadInput
from store.roles import grants


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(migrate)


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
            "Roles need names: set cassandra.username, spark_username and migrations_username.",
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
