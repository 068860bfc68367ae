"""Backups: a consistent copy of a running node's tables, and restoring it into an empty node.

Cassandra's nodetool makes the snapshot over the loopback port: it flushes memory and links the
files, so that no acknowledged write is missing. The copy holds every cell with its timestamp, so
that restored data converges with replays as before.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from stat import S_ISDIR

from schemas.errors import BadBackup, NodeFailed
from schemas.progress import NoProgress, Progress
from store.java import find_java
from store.node.files import LOOPBACK
from store.node.jars import cassandra_jars, version_of
from store.node.jmx import login_arguments, password_file
from store.node.jvm import tool_arguments
from store.node.process import EmbeddedNode
from store.synced import sync

MANIFEST = "manifest.json"
FORMAT = 1
NODE_TABLES = frozenset({"migrations", "layout", "migration_lease", "job_leases"})
"""Tables that describe the keyspace, not its data: a new keyspace has its own."""
_CASSANDRA_FILES = frozenset({"manifest.json", "schema.cql"})
_NODETOOL = "org.apache.cassandra.tools.NodeTool"
_WITHIN_S = 600.0
DRAFT_SUFFIX = ".muvr-draft"
DRAFTS = (f".*{DRAFT_SUFFIX}", ".????????T??????Z.draft")  # the latter of earlier releases
DRAFT_MAX_AGE_S = 86_400.0
"""No backup takes so long: an older draft or snapshot was left by one that was killed."""
_TAG = "muvr-"
_ANY_TAG = _TAG + "[0-9a-f]" * 12  # not `muvr-before-upgrade`, which an operator made


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of a backup."""

    path: str
    size: int
    sha256: str


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
        files = _snapshot(node, draft, progress or NoProgress())
        version = version_of(cassandra_jars(node.paths.jars), "cassandra-all")
        made = Backup(
            now.isoformat(), node.config.keyspace, version, dict(migrations), dict(layout), files
        )
        _write_manifest(made, draft)
    return made


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
    _remove_older_than_a_draft(path for pattern in DRAFTS for path in parent.glob(pattern))


def _remove_older_than_a_draft(folders: Iterable[Path]) -> None:
    for left in folders:
        with suppress(FileNotFoundError):
            status = left.lstat()
            if S_ISDIR(status.st_mode) and time.time() - status.st_mtime > DRAFT_MAX_AGE_S:
                shutil.rmtree(left, ignore_errors=True)


def _snapshot(node: EmbeddedNode, folder: Path, progress: Progress) -> tuple[BackupFile, ...]:
    """Take a snapshot and copy its files; the snapshot itself is removed in any case.

    Where this process is killed, Cassandra removes it a day later: it holds data of users who may
    have been erased since.
    """
    _remove_older_than_a_draft(_snapshots(node, _ANY_TAG))  # of releases without a time to live
    tag = f"{_TAG}{uuid.uuid4().hex[:12]}"
    until = ("--ttl", f"{DRAFT_MAX_AGE_S:.0f}s")
    try:
        _nodetool(node, "snapshot", "-t", tag, *until, "--", node.config.keyspace)
        return _copy_snapshot(node, tag, folder, progress)
    finally:
        for linked in _snapshots(node, tag):
            shutil.rmtree(linked, ignore_errors=True)


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
        if not path.is_file() or _sha256(path) != file.sha256:
            raise BadBackup(f"{path} is missing or was changed since the backup was made.")
        (progress or NoProgress()).step("checking files", number, len(backup.files))
    return backup


def restore_files(
    node: EmbeddedNode,
    folder: Path,
    backup: Backup,
    table_ids: Mapping[str, uuid.UUID],
    progress: Progress | None = None,
) -> None:
    """Copy a checked backup's files beside the (empty) tables of a stopped node.

    From then on the node starts only with `restoring`, until `end_restore`.

    Args:
        node: not running.
        folder: of the backup.
        backup: its manifest.
        table_ids: the ids of the node's own tables, which name their folders.
        progress: reports each file.

    Raises:
        BadBackup: the node runs, or lacks a table of the backup.
    """
    if node.status().running:
        raise BadBackup("Files are put back into a stopped node only.")
    tables = {Path(file.path).parent.name for file in backup.files} - {*NODE_TABLES}
    if unknown := sorted(tables - table_ids.keys()):
        raise BadBackup(f"The backup has a table {unknown[0]}, which this release does not know.")
    _begin_restore(node)
    data = node.folders.root / "data" / node.config.keyspace
    for number, file in enumerate(backup.files, start=1):
        (progress or NoProgress()).step("putting files back", number, len(backup.files))
        table = Path(file.path).parent.name
        if table in NODE_TABLES:
            continue
        target = data / f"{table}-{table_ids[table].hex}"
        target.mkdir(parents=True, exist_ok=True)
        _copy(folder / file.path, target / Path(file.path).name)


def end_restore(node: EmbeddedNode) -> None:
    """Let the node start again: whoever was erased since the backup is announced as erased."""
    node.folders.unfinished_restore.unlink(missing_ok=True)


def _begin_restore(node: EmbeddedNode) -> None:
    """Mark the folder, on the disk before any file: a half restored node must not serve."""
    marker = node.folders.unfinished_restore
    marker.touch()
    for path in (marker, marker.parent):
        sync(path)


def tables_on_disk(node: EmbeddedNode) -> set[str]:
    """The tables of the keyspace that have rows or deletions on the disk.

    What a node that was killed has only in its commit log is not among them.
    """
    data = node.folders.root / "data" / node.config.keyspace
    return {path.parent.name.partition("-")[0] for path in data.glob("*/*-Data.db")}


def _copy_snapshot(
    node: EmbeddedNode, tag: str, folder: Path, progress: Progress
) -> tuple[BackupFile, ...]:
    """Copy the files of a snapshot, into one folder per table."""
    sources = [
        (snapshot.parents[1].name.partition("-")[0], path)
        for snapshot in _snapshots(node, tag)
        for path in sorted(snapshot.iterdir())
        if path.name not in _CASSANDRA_FILES
    ]
    copied: list[BackupFile] = []
    for number, (table, path) in enumerate(sources, start=1):
        target = folder / "tables" / table / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, target)
        relative = str(target.relative_to(folder))
        copied.append(BackupFile(relative, target.stat().st_size, _sha256(target)))
        progress.step("copying files", number, len(sources))
    return tuple(copied)


def _snapshots(node: EmbeddedNode, tag: str) -> list[Path]:
    data = node.folders.root / "data" / node.config.keyspace
    return sorted(data.glob(f"*/snapshots/{tag}"))


def _nodetool(node: EmbeddedNode, *words: str) -> None:
    """Run Cassandra's nodetool against the node.

    Raises:
        NodeFailed: with the tool's error message.
    """
    jars = cassandra_jars(node.paths.jars)
    arguments = tool_arguments(node.folders, jars)
    address = ["-h", LOOPBACK, "-p", str(node.config.jmx_port)]
    login = login_arguments(node.config, node.paths.secrets)
    done = subprocess.run(
        [str(find_java().program), *arguments, _NODETOOL, *address, *login, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=_WITHIN_S,
    )
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip().splitlines()
        why = f"Cassandra made no snapshot: {' | '.join(output[:2])}"
        if "Credentials required" in why:  # the file was lost while the node runs
            path = password_file(node.paths.secrets)
            why += (
                f". {path} is not there; restart the node, which makes one: `muvr down`, `muvr up`."
            )
        raise NodeFailed(why)


def _write_manifest(made: Backup, folder: Path) -> None:
    """Write the manifest, last and synced: a folder that has one is a complete backup."""
    with (folder / MANIFEST).open("w") as file:
        json.dump({"format": FORMAT, **asdict(made)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, target: Path) -> None:
    """Copy a file and sync it to disk."""
    shutil.copyfile(source, target)
    sync(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
