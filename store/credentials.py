"""The roles under which Muvr connects to Cassandra: for service, Spark and migrations.

Names are in conf.yaml, passwords never: they come from an environment variable, else from a file of
paths.secrets.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from schemas.config import Cassandra, Config
from schemas.errors import BadConfig
from store.connection import connect
from store.database import Database
from store.reactor import LoopThread
from store.secret_file import write_new

Role = Literal["service", "spark", "migrations", "admin"]
ROLES: tuple[Role, ...] = ("service", "spark", "migrations")
_FILE = "cassandra-password"
DEFAULT_SUPERUSER = "cassandra"
"""Username and password of the superuser that every new cluster has."""


class Credentials(NamedTuple):
    """A role's name and password."""

    username: str
    password: str


def username_of(settings: Cassandra, role: Role) -> str:
    """The username of a role; the service's if it has none of its own; "" without authentication.

    >>> username_of(Cassandra(username="muvr"), "spark")
    'muvr'
    """
    own = {
        "service": settings.username,
        "spark": settings.spark_username,
        "migrations": settings.migrations_username,
        "admin": settings.admin_username or DEFAULT_SUPERUSER,
    }[role]
    return (own or settings.username) if settings.username else ""


def credentials_of(
    config: Config, role: Role, environment: Mapping[str, str] | None = None
) -> Credentials | None:
    """A role's name and password; None where the cluster needs none.

    Raises:
        BadConfig: there is no password; the message names the variable and the file.
    """
    username = username_of(config.cassandra, role)
    if not username:
        return None
    shared = username == config.cassandra.username
    path = password_file(config.paths.secrets, "service" if shared else role)
    return Credentials(username, password_in(path, username, environment))


def password_file(folder: Path, role: Role) -> Path:
    """The file of a role's password; that of the service has the bare name."""
    return folder / (_FILE if role == "service" else f"{_FILE}-{role}")


def password_in(path: Path, username: str, environment: Mapping[str, str] | None) -> str:
    """The password from the environment variable named like the file, else from the file.

    Raises:
        BadConfig: it is in neither.
    """
    variable = f"MUVR_{path.name.replace('-', '_').upper()}"
    text = (os.environ if environment is None else environment).get(variable)
    if text is None and path.is_file():
        text = path.read_text()
    if not text or not text.strip():
        raise BadConfig(
            f"There is no password for Cassandra's role {username}.",
            field=variable,
            next_step=f"Set {variable}, or write it to {path} (mode 600).",
        )
    return text.strip()


def make_passwords(config: Config) -> None:
    """Generate the missing passwords of the embedded node: nobody has to know them."""
    config.paths.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    for role in (*ROLES, "admin"):
        path = password_file(config.paths.secrets, role)
        if not path.exists():
            write_new(path, secrets.token_urlsafe(24).encode())


def open_as(
    config: Config,
    role: Role,
    *,
    loop_thread: LoopThread | None = None,
) -> Database:
    """Connect to the deployment's keyspace as a role; `loop_thread` as in `connect`.

    Raises:
        DatabaseUnavailable: no host answers.
        BadConfig: the role has no password.
        RoleRefused: Cassandra refuses this name and password.
    """
    return connect(
        config.cassandra,
        keyspace=config.cassandra.keyspace,
        credentials=credentials_of(config, role),
        loop_thread=loop_thread,
    )
