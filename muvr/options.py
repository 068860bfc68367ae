"""Options that every command shares, spelled once."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import BadInput


def asked_password(said: str) -> str:
    """The password as it was said, else as it is typed.

    Raises:
        BadInput: nobody is there to be asked.
    """
    if said:
        return said
    if not sys.stdin.isatty():
        raise BadInput(
            "There is no terminal to ask for the password; say --password", field="--password"
        )
    return str(typer.prompt("Password", hide_input=True, err=True))


Conf = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default ./conf.yaml, else the checkout's."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")]
Password = Annotated[
    str,
    typer.Option("--password", callback=asked_password, help="Asked for when it is not said."),
]
