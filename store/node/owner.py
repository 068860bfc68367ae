"""One owner per data folder: a lock that lives exactly as long as the node's process.

The starter takes an advisory lock on `owner.lock` and hands the open file to the node. The kernel
frees it when the last holder is gone, so neither kill -9 nor a reused process id can lie.
"""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import IO

from schemas.errors import FolderInUse
from store.node.folders import Folders

_TRIES = 20  # a status question holds the lock for an instant; that is no owner
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """What a running node left in its folder about itself."""

    pid: int
    port: int
    version: str


def acquire(folders: Folders) -> IO[bytes]:
    """Take the folder. The file must be handed to the node and then closed.

    Raises:
        FolderInUse: another node lives on it, or is being started or stopped.
    """
    folders.root.mkdir(parents=True, exist_ok=True)
    file = folders.lock.open("ab")
    for _ in range(_TRIES):
        if _try_lock(file):
            folders.record.unlink(missing_ok=True)
            return file
        time.sleep(_PAUSE_S)
    file.close()
    record = read_record(folders)
    who = f"node {record.pid} on port {record.port}" if record else "another node"
    raise FolderInUse(
        f"{folders.root} belongs to {who}. Stop it with `muvr down`, or set paths.data to "
        "another folder."
    )


def is_owned(folders: Folders) -> bool:
    """Whether a node lives on the folder (or is just being started)."""
    if not folders.lock.exists():
        return False
    with folders.lock.open("ab") as file:
        return not _try_lock(file)


def write_record(folders: Folders, record: NodeRecord) -> None:
    """Leave the record so that it appears whole or not at all."""
    draft = folders.record.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(record)))
    os.replace(draft, folders.record)


def read_record(folders: Folders) -> NodeRecord | None:
    """The record of the last node; it is running only if the folder `is_owned`."""
    try:
        return NodeRecord(**json.loads(folders.record.read_text()))
    except FileNotFoundError:
        return None


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
