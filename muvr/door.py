"""What every command needs at the door: settings, a terminal, the node, the database."""

import os
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio

from muvr.terminal import Terminal
from schemas.config import Config, load_config
from schemas.errors import BadConfig
from store.database import Database, connect
from store.migrate import migrate
from store.node.process import EmbeddedNode

CHECKOUT = Path(__file__).resolve().parents[1]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Door:
    """Read once per command."""

    config: Config
    conf_path: Path
    terminal: Terminal

    @property
    def node(self) -> EmbeddedNode:
        """The embedded node that the settings describe."""
        return EmbeddedNode(self.config.cassandra, self.config.paths)

    @contextmanager
    def database(self) -> Generator[Database]:
        """The deployment's keyspace.

        Raises:
            DatabaseAway: nobody answers; the sentence says how to start it.
        """
        database = self._connect(self.config.cassandra.keyspace)
        try:
            yield database
        finally:
            database.close()

    def migrate(self) -> tuple[str, ...]:
        """Create or update the keyspace's tables; the names of what was applied now."""
        return migrate(
            self.config.cassandra, password_file=self.password_file, progress=self.terminal
        )

    @property
    def password_file(self) -> Path:
        """Where Cassandra's password is, when there is one."""
        return self.config.paths.secrets / "cassandra-password"

    def _connect(self, keyspace: str) -> Database:
        return connect(self.config.cassandra, keyspace=keyspace, password_file=self.password_file)

    def ask(self, question: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
        """Connect, run one asynchronous question to its end, and close."""
        with self.database() as database:

            async def run() -> T:
                return await question(database)

            return anyio.run(run)


def open_door(conf: Path | None, *, as_json: bool) -> Door:
    """Find and read conf.yaml: `--config`, else ./conf.yaml, else the checkout's.

    Raises:
        BadConfig: there is none, or it holds something that is not understood.
    """
    named = conf or (Path(os.environ["MUVR_CONFIG"]) if "MUVR_CONFIG" in os.environ else None)
    candidates = [named] if named else [Path("conf.yaml"), CHECKOUT / "conf.yaml"]
    for path in candidates:
        if path.exists():
            return Door(load_config(path), path.resolve(), Terminal(as_json=as_json))
    raise BadConfig(f"There is no {candidates[0]}", field="--config", value=str(candidates[0]))
