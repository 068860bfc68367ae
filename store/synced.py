"""Files whose content and name are on the disk, and not in the operating system's memory only."""

import os
import shutil
import uuid
from pathlib import Path


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Bring a folder to the disk, with all files and folders in it."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def copy_synced(source: Path, target: Path) -> None:
    """Copy a file's content to the disk; its name is there once the folder is synced."""
    shutil.copyfile(source, target)
    sync(target)


def replace_synced(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file atomically: after a power failure it is old or new.

    Args:
        path: of the file.
        content: all that it holds.
        mode: who may read and write it, less what the umask forbids; else this account only.

    Raises:
        OSError: it cannot be written; the old one stays, and nothing is left of the new one.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.draft")  # of this call only
    try:
        draft.touch(mode=mode)
        draft.write_bytes(content)
        sync(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)
