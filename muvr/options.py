"""Options that all commands share."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.usernames import normalised_username
from schemas.errors import BadInput


def has_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def prompted_password(given: str) -> str:
    """The password of the option; without it the user is prompted.

    Raises:
        BadInput: there is no terminal for a prompt.
    """
    if given:
        return given
    if not has_terminal():
        raise BadInput(
            "There is no terminal to ask for the password; say --password.", field="--password"
        )
    return str(typer.prompt("Password", hide_input=True, err=True))


def stored_name(name: str | None) -> str | None:
    """A name as `users` stores it; ids and `global` stay as they are."""
    return None if name is None else normalised_username(name)


Conf = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default ./conf.yaml, else the checkout's."),
]
UserName = Annotated[str, typer.Argument(help="user name", callback=stored_name)]
UserNameOrId = Annotated[str, typer.Argument(help="user name or id", callback=stored_name)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")]
Password = Annotated[
    str,
    typer.Option("--password", callback=prompted_password, help="Asked for when it is not said."),
]
