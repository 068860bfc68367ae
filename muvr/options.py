"""Options that every command shares, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

Conf = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default ./conf.yaml, else the checkout's."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")]
