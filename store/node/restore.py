"""Puts the files of a backup into an empty, stopped node."""

import uuid
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import BadBackup
from schemas.progress import NoProgress, Progress
from store.node.backup import Backup
from store.node.process import EmbeddedNode
from store.synced import copy_synced, sync

NODE_TABLES = frozenset({"migrations", "layout", "migration_lease", "job_leases"})
"""Tables that describe the keyspace, not its data: a new keyspace has its own."""


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
        copy_synced(folder / file.path, target / Path(file.path).name)


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
