"""`muvr token`: get one, end a user's logins, change the key that signs."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from api.keys import rotate, signs_from, trusted_kids
from examples.client import Client
from muvr.context import open_context
from muvr.options import AsJson, Conf, Password, UserName
from muvr.user import end_logins
from schemas.plurals import plural
from store.database import Database
from store.users import Users

DEFAULT = "issue"


class _UserNameFirst(TyperGroup):
    """`muvr token ada` is `muvr token issue ada`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before what is no command's name."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        cls=_UserNameFirst,
        help="Access tokens; `muvr token NAME` prints one.",
        no_args_is_help=True,
    )
    group.command(DEFAULT)(issue)
    group.command("rotate")(rotate_key)
    group.command("revoke")(revoke)
    app.add_typer(group, name="token")


def issue(
    username: UserName,
    password: Password = "",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Print an access token, for curl.

    Example: `TOKEN=$(muvr token ada --password "a long password")`
    """
    context = open_context(conf, as_json=as_json)
    with context.service.checked_url() as url, Client(url) as client:
        client.login(username, password)
        context.terminal.say(client.token)
        context.terminal.answer({"access_token": client.token})


def rotate_key(
    forget_others: Annotated[
        bool, typer.Option("--forget-others", help="the key was stolen: everybody logs in again")
    ] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key that signs tokens; those of the key before it stay good.

    Running services of this machine believe it at once, and sign with it minutes later by
    themselves: copy its file to paths.secrets of other hosts until then. It signs at once where
    there is no other key, and with --forget-others.

    Tokens of the key before the last are refused: rotate once in `auth.refresh_days` at most.
    It is refused before the newest key signs, as everybody would have to log in again.

    Example: `muvr token rotate`
    """
    context = open_context(conf, as_json=as_json)
    folder, now = context.config.paths.secrets, datetime.now(UTC)
    kid = rotate(folder, now, forget_others=forget_others)
    believed = trusted_kids(folder)
    next_at = signs_from(believed, now)
    begins, by_then = "now on", "now"
    if next_at is not None:
        begins, by_then = f"{next_at:%Y-%m-%d %H:%M:%S} UTC on", "until then"
    context.terminal.say(
        f"{kid} signs from {begins}; believed: {', '.join(believed)} (in {folder}). Other hosts "
        f"of this deployment need token-{kid}.pem in their paths.secrets {by_then}."
    )
    if forget_others:
        context.terminal.say("Delete all other token-*.pem there.")
    context.terminal.answer({"signs": kid, "signs_from": next_at or now, "believed": believed})


def revoke(username: UserName, conf: Conf = None, as_json: AsJson = False) -> None:
    """End every login of a user; their tokens are refused within `api.pointer_ttl_s`.

    Example: `muvr token revoke ada`
    """
    context = open_context(conf, as_json=as_json)
    ended = context.run_async(lambda database: _revoke_all(database, username))
    context.terminal.say(f"{username}: {plural(ended, 'login')} ended.")
    context.terminal.answer({"username": username, "ended": ended})


async def _revoke_all(database: Database, username: str) -> int:
    """End every login of a user; how many there were.

    Raises:
        NotFound: nobody has this name.
    """
    return await end_logins(database, await Users(database).named(username))
