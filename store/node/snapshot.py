"""Snapshots of a running node's tables, copied to another folder.

Cassandra's nodetool makes a snapshot over the loopback port: it flushes memory and links the files,
so that no acknowledged write is missing.
"""

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from schemas.errors import NodeFailed
from schemas.progress import Progress
from store.java import find_java
from store.node.files import LOOPBACK
from store.node.jars import cassandra_jars, sha256_of
from store.node.jmx import jmx_password_file, login_arguments
from store.node.jvm import tool_arguments
from store.node.process import EmbeddedNode
from store.synced import copy_synced

_CASSANDRA_FILES = frozenset({"manifest.json", "schema.cql"})
_NODETOOL = "org.apache.cassandra.tools.NodeTool"
_WITHIN_S = 600.0
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


def copied_snapshot(node: EmbeddedNode, folder: Path, progress: Progress) -> tuple[BackupFile, ...]:
    """Take a snapshot and copy its files; the snapshot itself is removed in any case.

    Where this process is killed, Cassandra removes it a day later: it holds data of users who may
    have been erased since. A node that is killed too may not have noted when: those go here.
    """
    remove_left_behind(_snapshots(node, _ANY_TAG))
    tag = f"{_TAG}{uuid.uuid4().hex[:12]}"
    until = ("--ttl", f"{DRAFT_MAX_AGE_S:.0f}s")
    try:
        _nodetool(node, "snapshot", "-t", tag, *until, "--", node.config.keyspace)
        return _copy_snapshot(node, tag, folder, progress)
    finally:
        for linked in _snapshots(node, tag):
            shutil.rmtree(linked, ignore_errors=True)


def remove_left_behind(folders: Iterable[Path]) -> None:
    """Remove those folders that are older than any backup under way; some may be gone by now."""
    for left in folders:
        with suppress(FileNotFoundError):
            status = left.lstat()
            if S_ISDIR(status.st_mode) and time.time() - status.st_mtime > DRAFT_MAX_AGE_S:
                shutil.rmtree(left, ignore_errors=True)


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
        copy_synced(path, target)
        relative = str(target.relative_to(folder))
        copied.append(BackupFile(relative, target.stat().st_size, sha256_of(target)))
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
            path = jmx_password_file(node.paths.secrets)
            why += (
                f". {path} is not there; restart the node, which makes one: `muvr down`, `muvr up`."
            )
        raise NodeFailed(why)
