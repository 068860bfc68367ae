"""Backups: a consistent copy of a running node's tables, with a manifest.

The copy holds every cell with its timestamp, so that restored data converges with replays as
before.
"""

import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from schemas.errors import BadBackup
from schemas.progress import NoProgress, Progress
from store.node.jars import cassandra_jars, cassandra_version, sha256_of
from store.node.process import EmbeddedNode
from store.node.snapshot import BackupFile, copied_snapshot, remove_left_behind

MANIFEST = "manifest.json"
FORMAT = 1
DRAFT_SUFFIX = ".muvr-draft"


@dataclass(frozen=True, slots=True)
class Backup:
    """The manifest of a backup.

    Attributes:
        migrations: the schema it was made with, name to checksum.
        layout: the constants that shaped its keys.
    """

    made_at: str
    keyspace: str
    cassandra: str
    migrations: dict[str, str]
    layout: dict[str, str]
    files: tuple[BackupFile, ...]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.size for file in self.files)


def make_backup(
    node: EmbeddedNode,
    folder: Path,
    now: datetime,
    *,
    migrations: Mapping[str, str],
    layout: Mapping[str, str],
    progress: Progress | None = None,
) -> Backup:
    """Copy all tables of a running node's keyspace into a new folder, atomically.

    Raises:
        BadBackup: the folder exists already.
        NodeFailed: Cassandra made no snapshot.
    """
    if folder.exists():
        raise BadBackup(f"{folder} is there already; name a new folder.")
    with _draft_of(folder) as draft:
        files = copied_snapshot(node, draft, progress or NoProgress())
        version = cassandra_version(cassandra_jars(node.paths.jars))
        made = Backup(
            now.isoformat(), node.config.keyspace, version, dict(migrations), dict(layout), files
        )
        _write_manifest(made, draft)
    return made


def read_backup(folder: Path, progress: Progress | None = None) -> Backup:
    """Read a backup's manifest and check every file against it.

    Raises:
        BadBackup: it is no backup, or a file is missing or was changed.
    """
    try:
        values = json.loads((folder / MANIFEST).read_text())
        if values.pop("format") != FORMAT:
            raise BadBackup(f"{folder} was made by another release: its format is not {FORMAT}.")
        files = tuple(BackupFile(**file) for file in values.pop("files"))
        backup = Backup(files=files, **values)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BadBackup(f"{folder} holds no whole backup: {problem}") from problem
    for number, file in enumerate(backup.files, start=1):
        path = folder / file.path
        if not path.is_file() or sha256_of(path) != file.sha256:
            raise BadBackup(f"{path} is missing or was changed since the backup was made.")
        (progress or NoProgress()).step("checking files", number, len(backup.files))
    return backup


@contextmanager
def _draft_of(folder: Path) -> Generator[Path]:
    """A hidden folder beside a backup: it gets the backup's name at the end, or is removed.

    Drafts of earlier backups that were killed are removed first: they hold data of users who may
    have been erased since, and take the room of the next backup.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_old_drafts(folder.parent)
    draft = folder.with_name(f".{folder.name}{DRAFT_SUFFIX}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)  # people's data, for no other account to read
    try:
        yield draft
        os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _remove_old_drafts(parent: Path) -> None:
    """Remove drafts that were left, and nothing else: other programs have hidden files there, too.

    A draft that gets its final name meanwhile, or that another backup removes, is none any more.
    """
    remove_left_behind(parent.glob(f".*{DRAFT_SUFFIX}"))


def _write_manifest(made: Backup, folder: Path) -> None:
    """Write the manifest, last and synced: a folder that has one is a complete backup."""
    with (folder / MANIFEST).open("w") as file:
        json.dump({"format": FORMAT, **asdict(made)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
