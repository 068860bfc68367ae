"""Explains from its logs why a node died or did not start, with the next step."""

import re
from pathlib import Path

from schemas.config import Cassandra
from schemas.errors import DiskFull, NodeError, NodeFailed, PortBusy
from store.node.folders import Folders
from store.node.preflight import PORT_SETTINGS, port_busy

_READ_BYTES = 200_000
_LINES = 6
_IS_ERROR = re.compile(r"\bERROR\b|^Error|^Exception")
_PORT_BUSY = re.compile(
    r"Failed to bind port (\d+)|:(\d+) is in use by another process|Port already in use: (\d+)"
)
_DISK_FULL = re.compile(r"No space left on device|Insufficient disk space|Disk quota exceeded")
# Not the bare name: Cassandra logs its Java options, ExitOnOutOfMemoryError among them.
_NO_MEMORY = re.compile(
    r"java\.lang\.OutOfMemoryError|Could not reserve enough space|insufficient memory for the Java"
)
# In the logs of a run that was told to end, or of a Java that crashed.
_END = re.compile(r"Announcing shutdown|shutdown complete|fatal error has been detected")


def explain_failure(folders: Folders, config: Cassandra, *, is_running: bool = False) -> NodeError:
    """The error in the logs of the last run.

    Args:
        folders: of the node.
        config: its settings.
        is_running: it has not ended, and is only too slow.
    """
    text = _tail(folders.console) + _tail(folders.log)
    if busy := _PORT_BUSY.search(text):
        port = int(next(group for group in busy.groups() if group))
        return PortBusy(port_busy(_setting_of(port, config), port))
    if _DISK_FULL.search(text):
        return DiskFull(
            f"The disk of {folders.root} is full: Cassandra stopped. Nothing acknowledged is lost; "
            "free some space and start it again."
        )
    if _NO_MEMORY.search(text):
        return NodeFailed(
            f"Cassandra ran out of memory with cassandra.heap_mb = {config.heap_mb}; give it more, "
            f"or the machine less to do. Its log: {folders.log}"
        )
    if not is_running and folders.log.exists() and _ends_in_the_midst(text):
        return NodeFailed(
            "Cassandra was killed, or the machine went down: its log ends in the midst. The system "
            "kills a process when memory runs out (`dmesg` says so): lower cassandra.heap_mb "
            f"({config.heap_mb}), or give the machine less to do. Its log: {folders.log}"
        )
    return NodeFailed(
        f"Cassandra stopped. Its last words: {relevant_lines(text)} (log: {folders.log})"
    )


def relevant_lines(text: str) -> str:
    r"""The relevant lines of a log: its last error with its causes, else its end.

    >>> relevant_lines("INFO a - fine\nERROR b - Bad key: x\n\tat java.Thing\nINFO c - bye")
    'ERROR b - Bad key: x'
    """
    messages = _messages(text)
    errors = [i for i, line in enumerate(messages) if _IS_ERROR.search(line)]
    if not errors:
        return " | ".join(messages[-_LINES:]) or "none"
    last, *following = messages[errors[-1] :]
    causes = [line for line in following if line.startswith("Caused by:")]
    return " | ".join([last, *causes][:_LINES])


def _ends_in_the_midst(text: str) -> bool:
    """Whether a node said nothing of its end."""
    last = _messages(text)[-_LINES:]
    return not any(_IS_ERROR.search(line) for line in last) and not _END.search(text)


def _messages(text: str) -> list[str]:
    """The lines of a log without those of stack traces."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(("at ", "..."))]


def _tail(path: Path) -> str:
    """The end of a log file; empty if it does not exist yet."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _READ_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _setting_of(port: int, config: Cassandra) -> str:
    return next((s for s in PORT_SETTINGS if getattr(config, s) == port), "port")
