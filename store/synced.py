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


def copy_synced(source: Path, target: Path) -> None:
    """Copy a file's content to the disk; its name is there once the folder is synced."""
    shutil.copyfile(source, target)
    sync(target)


def replace_synced(path: Path, text: str) -> None:
    """Replace a file atomically, for this account only: after a power failure it is old or new.

    Raises:
        OSError: it cannot be written; the old one stays, and nothing is left of the new one.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.draft")  # of this call only
    try:
        draft.touch(mode=0o600)
        draft.write_text(text)
        sync(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)
