"""Files that executors fetch: replaced as a whole, since another run's may be fetching them."""

from pathlib import Path

from store.synced import replace_synced


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
    replace_synced(path, content, mode=0o666)
    return path
