"""What every command works with: settings, a terminal, the embedded node, the database."""

import os
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio

from muvr.checkout import CHECKOUT
from muvr.service import Service
from muvr.terminal import Terminal
from schemas.config import Config
from schemas.config_file import load_config
from schemas.errors import BadConfig
from store.credentials import Role, credentials_of, make_passwords, open_as
from store.database import Database
from store.login_copies import login_warning
from store.migrate import migrate
from store.node.process import EmbeddedNode
from store.roles import grant_table_rights, make_roles, secure_superuser, sync_grants

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The settings that a command runs with, read once, and what they lead to.

    Attributes:
        config: conf.yaml with its overrides.
        conf_path: the file that was read.
        terminal: where the command reports progress and results.
    """

    config: Config
    conf_path: Path
    terminal: Terminal

    @property
    def node(self) -> EmbeddedNode:
        """The embedded node that the settings describe."""
        return EmbeddedNode(self.config.cassandra, self.config.paths)

    @property
    def service(self) -> Service:
        """The background service that the settings describe."""
        return Service(self.config, self.conf_path)

    @contextmanager
    def database(self, role: Role = "service") -> Generator[Database]:
        """The deployment's keyspace, under a role's name.

        Raises:
            DatabaseUnavailable: nobody answers; the sentence says how to start it.
        """
        database = open_as(self.config, role)
        try:
            yield database
        finally:
            database.close()

    def stop_node(self) -> None:
        """Stop the embedded node, with progress: it takes seconds."""
        self.terminal.step("stopping Cassandra", 0, 1)
        self.node.stop()
        self.terminal.step("stopping Cassandra", 1, 1)

    def migrate(self, *, with_roles: bool = False) -> tuple[str, ...]:
        """Create or update the keyspace's tables; the names of what was applied now.

        Args:
            with_roles: as a superuser, and make the roles and give them their rights as well.
        """
        if with_roles:
            self._take_over()
        credentials = credentials_of(self.config, "admin" if with_roles else "migrations")
        applied = migrate(self.config.cassandra, credentials=credentials, progress=self.terminal)
        if with_roles:
            with self.database("admin") as database:
                make_roles(database, self.config)
                sync_grants(database, self.config.cassandra)
                warning = login_warning(database, self.config.cassandra)
            self.terminal.notes([warning] if warning else [])
        else:  # also where nothing was applied: a killed run may have left its tables ungranted
            grant_table_rights(self.config)
        return applied

    def _take_over(self) -> None:
        """Make an embedded node's passwords, and its first superuser's one of ours."""
        if self.config.cassandra.own_node and self.config.cassandra.username:
            make_passwords(self.config)
            secure_superuser(self.config)

    def run_async(
        self, operation: Callable[[Database], Coroutine[Any, Any, T]], role: Role = "service"
    ) -> T:
        """Connect under a role's name, run one asynchronous operation to its end, and close."""
        with self.database(role) as database:

            async def run() -> T:
                """The operation on this connection."""
                return await operation(database)

            return anyio.run(run)


def open_context(conf: Path | None, *, as_json: bool) -> CommandContext:
    """Find and read conf.yaml: `--config`, else ./conf.yaml, else the checkout's.

    Raises:
        BadConfig: there is none, or it holds something that is not understood.
    """
    named = conf or (Path(os.environ["MUVR_CONFIG"]) if "MUVR_CONFIG" in os.environ else None)
    candidates = [named] if named else [Path("conf.yaml"), CHECKOUT / "conf.yaml"]
    for path in candidates:
        if path.exists():
            return CommandContext(load_config(path), path.resolve(), Terminal(as_json=as_json))
    raise BadConfig(f"There is no {candidates[0]}.", field="--config", value=str(candidates[0]))
