"""Ownership of a data folder: a lock that is held exactly as long as the node's process lives.

The starter takes an advisory lock on `owner.lock` and passes the open file to the node. The kernel
releases it when the last holder ends, so it is right after kill -9 and with reused process ids.
"""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO

from schemas.errors import FolderInUse, NodeFailed
from store.file_lock import lock_soon, try_lock
from store.node.folders import Folders
from store.synced import replace_synced


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """What is recorded in the folder about its node."""

    pid: int
    port: int
    version: str


def acquire(folders: Folders) -> IO[bytes]:
    """Lock the folder. The file must be passed to the node and then closed.

    Raises:
        FolderInUse: another node uses it, or is being started or stopped, or it is another user's.
    """
    with _of_this_user(folders):
        folders.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if file := lock_soon(folders.lock):
            # by now it is ours: one that was there before may be readable to every account
            _close_to_others(folders)
            folders.record.unlink(missing_ok=True)
            return file
    record = read_record(folders)
    who = f"node {record.pid} on port {record.port}" if record else "another node"
    raise FolderInUse(
        f"{folders.root} belongs to {who}. Stop it with `muvr down`, or set paths.data to "
        "another folder."
    )


def is_owned(folders: Folders) -> bool:
    """Whether a node uses the folder, or is being started.

    Raises:
        FolderInUse: it is another user's.
    """
    with _of_this_user(folders):
        if not folders.lock.exists():
            return False
        # for reading only: also on a disk that became read-only, a node is found and stopped
        with folders.lock.open("rb") as file:
            return not try_lock(file, shared=True)


def write_record(folders: Folders, record: NodeRecord) -> None:
    """Write the record atomically."""
    replace_synced(folders.record, json.dumps(asdict(record)).encode(), mode=0o666)


def read_record(folders: Folders) -> NodeRecord | None:
    """The record of the last node, which is running only if the folder `is_owned`.

    None without one, and for one that was cut short.
    """
    try:
        return NodeRecord(**json.loads(folders.record.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def require_restored(folders: Folders) -> None:
    """Refuse a folder into which a restore was interrupted, or is under way.

    Raises:
        NodeFailed: it was; some tables may be missing, and erased users may be back.
    """
    # not Path.exists: the service may run under an account that must not look into the folder
    if os.path.exists(folders.unfinished_restore):
        raise NodeFailed(
            f"A restore into {folders.root} was interrupted: users who were erased may be back in "
            "it, and others may be missing.",
            next_step="`muvr down` if the node runs, restore again into a new folder "
            "(MUVR_PATHS__DATA=… muvr restore …), and remove this one.",
        )


def _close_to_others(folders: Folders) -> None:
    """Let only this account read a node's files.

    Not where the folder is another account's, who lets us write there and decides who may read, and
    not on a file system without modes.
    """
    with suppress(OSError):
        folders.root.chmod(0o700)


@contextmanager
def _of_this_user(folders: Folders) -> Generator[None]:
    try:
        yield
    except PermissionError as problem:
        raise FolderInUse(
            f"{folders.root} belongs to another user ({problem.strerror}: {problem.filename}). Run "
            "this as that user, or set paths.data to another folder."
        ) from problem
