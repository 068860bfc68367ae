"""The mart's folder: one version of all tables at a time, replaced as a whole.

A version is a folder of Parquet files. `manifest.json` names the current one and is replaced by a
rename, so that a reader sees the tables of a single refresh. Older versions are deleted at once, so
that no file holds an erased user after the next refresh; a query during a refresh is repeated.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from schemas.errors import BadMart, BadQuery, NoMart
from schemas.mart import MART
from store.synced import replace_synced, sync_tree

MANIFEST = "manifest.json"
DIGEST_DIGITS = 16  # of a layout


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of a version of the mart.

    Attributes:
        version: the folder of its files.
        as_of: everything acknowledged before this time is in it.
        read_until: from where the next refresh looks for changes.
        layout: digest of the tables' columns and of how rows are made; another one is another mart.
        key_id: digest of the pseudonyms' key; pseudonyms under another key cannot be joined.
        rows: of every table.
        database_id: of the database that was read.
    """

    version: str
    as_of: datetime
    read_until: datetime
    layout: str
    key_id: str
    rows: Mapping[str, int]
    database_id: str

    @property
    def as_of_text(self) -> str:
        """`as_of` as both engines read a time without a zone, in UTC."""
        return self.as_of.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


@dataclass(frozen=True, slots=True)
class MartFolder:
    """Where the mart is."""

    path: Path

    def manifest(self) -> Manifest:
        """The current version.

        Raises:
            NoMart: the mart has not been built yet, or is of another release.
        """
        try:
            fields: dict[str, Any] = json.loads((self.path / MANIFEST).read_text())
            for name in ("as_of", "read_until"):
                fields[name] = datetime.fromisoformat(fields[name])
            return Manifest(**fields)
        except FileNotFoundError as problem:
            raise NoMart(
                f"There is no mart in {self.path}. Make one: `muvr mart refresh`."
            ) from problem
        except (ValueError, KeyError, TypeError) as problem:
            raise NoMart(
                f"The mart in {self.path} is of another release. Make it again: "
                "`muvr mart refresh`."
            ) from problem

    def table(self, manifest: Manifest, name: str) -> Path:
        """The folder of one table's files."""
        return self.path / manifest.version / name

    def require_readable(
        self, failures: Sequence[str], signs: Sequence[str], *, sql: str = ""
    ) -> None:
        """Refuse a damaged mart; not one that this account may not read.

        Args:
            failures: what the engine says, a line each, the first cause last.
            signs: such as the version, where that is in the name of a file that cannot be read.
            sql: what was asked; what stands in it is no sign.

        Raises:
            BadMart: a file cannot be read, as after its disk failed or lost power.
        """
        for said in reversed(failures):
            damaged = any(sign in said and sign not in sql for sign in signs)
            if damaged and "Permission denied" not in said:
                raise BadMart(
                    f"The mart in {self.path} cannot be read ({said}).",
                    next_step="Make all of it again: `muvr mart refresh --all`.",
                )

    def publish(self, manifest: Manifest) -> None:
        """Make a finished version the current one, and delete all others.

        Its files are on the disk before their name is: else a power failure might leave a current
        version of empty files, and the one before it is gone. Only versions are deleted:
        `paths.mart` may be a folder that holds other things.
        """
        sync_tree(self.path / manifest.version)
        fields = {name: getattr(manifest, name) for name in Manifest.__slots__}
        times = {name: fields[name].isoformat() for name in ("as_of", "read_until")}
        text = json.dumps({**fields, **times}, indent=2)
        replace_synced(self.path / MANIFEST, text.encode(), mode=0o666)
        for other in self.path.iterdir():
            if other.name != manifest.version and _is_version(other):
                shutil.rmtree(other)

    def query(self, run: Callable[[Manifest], "QueryResult"]) -> "QueryResult":
        """Run a query on the current version; again if a refresh replaced that meanwhile.

        A version's files are deleted one by one. A query that begins then may fail, or read what is
        left of a table.

        Raises:
            NoMart: the mart has not been built yet.
            BadQuery, BadMart: as `run` does.
        """
        while True:
            manifest = self.manifest()
            try:
                result = run(manifest)
            except (BadQuery, BadMart):
                if self.manifest().version == manifest.version:
                    raise
            else:
                if self.manifest().version == manifest.version:
                    return result


def _is_version(folder: Path) -> bool:
    """Whether a folder is a version: it has the name of a run and holds tables only."""
    try:
        run = UUID(folder.name)
    except ValueError:
        return False
    named = run.version == 7 and folder.is_dir() and not folder.is_symlink()
    return named and {path.name for path in folder.iterdir()} <= MART.keys()


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a query.

    Attributes:
        columns: their names.
        rows: at most as many as the limit.
        more: whether there were more.
        as_of: how fresh the mart is.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool
    as_of: datetime


def layout_digest() -> str:
    """A digest of the mart's tables and columns."""
    columns = [(t.name, c.name, c.type) for t in MART.values() for c in t.columns]
    return hashlib.sha256(repr(columns).encode()).hexdigest()[:DIGEST_DIGITS]
