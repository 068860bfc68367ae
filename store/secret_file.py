"""Generated secrets: files of mode 600, written atomically."""

import os
import secrets
from pathlib import Path

from store.synced import sync


def write_new(path: Path, content: bytes, owner: tuple[int, int] | None = None) -> None:
    """Write a new secret atomically; an existing one stays.

    Args:
        path: of the file; its folder exists.
        content: of the file.
        owner: user and group that the file is given to, for which the process has to be root; None
            for its own.

    Raises:
        OSError: it cannot be written, and nothing is left of it; or it is there, and its name
            cannot be brought to the disk.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            if owner is not None:
                os.fchown(handle, *owner)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster: its secret counts
    finally:
        draft.unlink()
    sync(path.parent)  # also a faster process's: whoever uses a secret counts on it to stay
