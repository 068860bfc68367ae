"""Files that executors fetch: replaced as a whole, since another run's may be fetching them."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> Path:
    """Let a file have this content; one that has it already is left alone.

    Args:
        path: its folder is created if it does not exist.
        content: of the file.

    Returns:
        `path`.
    """
    if path.is_file() and path.read_bytes() == content:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
