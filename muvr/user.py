"""`muvr user`: who somebody is, what they may do, and a new password."""

import sys
from typing import Annotated

import typer

from api.passwords import MAX_CHARACTERS, MIN_CHARACTERS, Passwords
from api.tokens import SCOPES
from muvr.context import open_context
from muvr.options import AsJson, Conf, UserName, UserNameOrId
from muvr.owners import find_user
from schemas.errors import BadInput
from schemas.plurals import plural
from store.database import Database
from store.logins import Logins
from store.users import User, Users

ScopeNames = Annotated[list[str], typer.Argument(help="such as operate")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="People and what they may do.", no_args_is_help=True)
    for command in (grant, withdraw, password, show):
        group.command()(command)
    app.add_typer(group, name="user")


def grant(
    username: UserName,
    scopes: ScopeNames,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Give a user more scopes; tokens show them from their next refresh on.

    Example: `muvr user grant ada operate`
    """
    _require_known(scopes)
    context = open_context(conf, as_json=as_json)
    user = context.run_async(lambda database: Users(database).grant(username, scopes))
    context.terminal.say(f"{username}: {' '.join(sorted(user.scopes))}")
    context.terminal.answer({"username": username, "scopes": sorted(user.scopes)})


def withdraw(
    username: UserName,
    scopes: ScopeNames,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Take scopes from a user, and end every login; tokens are refused as after `token revoke`.

    Example: `muvr user withdraw ada operate`
    """
    _require_known(scopes)
    context = open_context(conf, as_json=as_json)

    async def change(database: Database) -> tuple[User, int]:
        """The user afterwards, and how many logins have ended."""
        user = await Users(database).withdraw(username, scopes)
        return user, await end_logins(database, user)

    user, ended = context.run_async(change)
    left = " ".join(sorted(user.scopes)) or "no scopes"
    context.terminal.say(f"{username}: {left}; {plural(ended, 'login')} ended.")
    context.terminal.answer({"username": username, "scopes": sorted(user.scopes), "ended": ended})


def password(username: UserName, conf: Conf = None, as_json: AsJson = False) -> None:
    """Set a user's password, and end every login; tokens are refused as after `token revoke`.

    It is asked for, or read from stdin; as an argument other accounts of the machine could see it.

    Example: `muvr user password ada`

    Example: `muvr user password ada < new-password.txt`
    """
    context = open_context(conf, as_json=as_json)
    chosen = _new_password()

    async def change(database: Database) -> int:
        """How many logins have ended."""
        user = await Users(database).named(username)
        await Users(database).set_password(user.user_id, await Passwords().hash(chosen))
        return await end_logins(database, user)

    ended = context.run_async(change)
    context.terminal.say(f"{username}: has a new password; {plural(ended, 'login')} ended.")
    context.terminal.answer({"username": username, "ended": ended})


def show(
    user: UserNameOrId,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Show who somebody is: the id that `--users` takes, the name, the scopes.

    Example: `muvr user show ada`
    """
    context = open_context(conf, as_json=as_json)
    account = context.run_async(lambda database: find_user(database, user))
    answer = {
        "user_id": str(account.user_id),
        "username": account.username,
        "scopes": sorted(account.scopes),
        "registered_at": account.created_at,
    }
    context.terminal.table(account.username, ("what", "value"), answer.items())
    context.terminal.answer(answer)


async def end_logins(database: Database, user: User) -> int:
    """End every login of a user; how many there were."""
    logins = Logins(database)
    ended = len(await logins.of_user(user.user_id))
    await logins.revoke_all(user.user_id)
    return ended


def _require_known(scopes: list[str]) -> None:
    """Refuse scopes that nobody can have.

    Raises:
        BadInput: names them.
    """
    if unknown := sorted(set(scopes) - set(SCOPES)):
        sentence = f"There is no scope {', '.join(unknown)}; there are {', '.join(SCOPES)}"
        raise BadInput(sentence, field="scopes", value=unknown)


def _new_password() -> str:
    """The password that is typed twice, or the first line of stdin where that is no terminal.

    Raises:
        BadInput: it is too short or too long to log in with.
    """
    if sys.stdin.isatty():
        chosen = str(
            typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
        )
    else:
        chosen = sys.stdin.readline().rstrip("\r\n")
    if not MIN_CHARACTERS <= len(chosen) <= MAX_CHARACTERS:
        raise BadInput(
            f"A password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters, not {len(chosen)}. "
            "Type it when it is asked for, or give it as the first line of stdin",
            field="password",
        )
    return chosen
