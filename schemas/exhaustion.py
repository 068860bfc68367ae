"""Errors of a machine that has run out of something, with the folder or setting to change.

Spark says it somewhere in pages of Java, of which the first line tells nothing.
"""

import errno
import os

from schemas.errors import Exhausted

DOCTOR = "`muvr doctor` measures the disks of all folders that Muvr writes to."
_DISKS = {
    errno.ENOSPC: ("is full", f"Free some space, or move the folder. {DOCTOR}"),
    errno.EDQUOT: ("is full for this account", f"Free some space, or raise its quota. {DOCTOR}"),
    errno.EROFS: (
        "can only be read",
        "Mount it for writing, or name another folder; `dmesg` says whether the disk fails.",
    ),
    errno.EIO: ("fails", "`dmesg` says more; replace the disk, or name a folder on another one."),
}
_FILES = {
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`, or LimitNOFILE= of a systemd unit).",
    errno.ENFILE: "All processes together have too many open; raise `fs.file-max`.",
}
_MEMORY = "Free some memory, or lower spark.cores or spark.batch_rows."
_SCRATCH = (
    "Its scratch is spark.local.dir (in spark.options; /tmp unless set), and it writes to "
    f"paths.mart. Free some space, or move the one whose disk is full. {DOCTOR}"
)
_HEAP = (
    "Spark's Java has too little memory",
    "Raise spark.driver_memory_mb (of `muvr sql`: sql.memory_mb; with executors elsewhere: "
    "spark.executor_memory_mb), or lower spark.cores or spark.batch_rows.",
)
_IN_SPARK = {
    "No space left on device": ("A disk that Spark writes to is full", _SCRATCH),
    "Disk quota exceeded": ("A disk that Spark writes to is full for this account", _SCRATCH),
    "Read-only file system": (
        "A disk that Spark writes to can only be read",
        "Set spark.local.dir (in spark.options) and paths.mart to folders that can be written.",
    ),
    "Input/output error": ("A disk that Spark reads or writes fails", _DISKS[errno.EIO][1]),
    "Too many open files": ("Spark has too many files open", _FILES[errno.EMFILE]),
    "OutOfMemoryError": _HEAP,
    "OutOfDirectMemoryError": _HEAP,
    "Python worker exited unexpectedly": (
        "A Python worker of Spark was ended amid its work, as where memory is short",
        f"`dmesg` says whether the kernel ended it. {_MEMORY}",
    ),
    "MemoryError": ("A Python worker of Spark has too little memory", _MEMORY),
}
"""What an error of Spark holds, with what it means and what to do."""
_CAUSE = "Caused by: "
_JAVA_ENDED = (
    "Spark's Java was ended amid its work, as where memory is short.",
    "`dmesg` says whether the kernel ended it. Free some memory, or lower spark.driver_memory_mb "
    "(of `muvr sql`: sql.memory_mb).",
)


def exhaustion_of(problem: BaseException) -> Exhausted | None:
    """An error as one of ours, where disk, memory or files are used up; else None.

    >>> print(exhaustion_of(OSError(errno.EROFS, "Read-only file system", "/srv/mart")).message)
    The disk of /srv/mart can only be read (Read-only file system).
    """
    kinds = _kinds(problem)
    if "Py4JNetworkError" in kinds:
        message, next_step = _JAVA_ENDED
        return Exhausted(message, next_step=next_step)
    if kinds & {"Py4JJavaError", "PythonException"}:
        return _of_spark(_text(problem))
    if isinstance(problem, MemoryError):
        said = f" ({problem})" if str(problem) else ""
        return Exhausted(f"There is not enough memory{said}.", next_step=_MEMORY)
    if isinstance(problem, OSError):
        return _of_system(problem)
    return None


def said_by(problem: BaseException) -> str:
    r"""What an error says in one line; an error of Spark what caused it in the first place.

    >>> said_by(ValueError("no such column\n  at line 1"))
    'no such column'
    """
    said = causes(problem)
    return said[-1] if said else ""


def causes(problem: BaseException) -> list[str]:
    """What an error says, a line for each error of Java that led to it, the first of them last."""
    lines = [line.strip() for line in _text(problem).strip().splitlines()]
    kinds = _kinds(problem)
    if "PythonException" in kinds:  # a traceback of Python, which says last what it is about
        return lines[-1:]
    if "Py4JJavaError" not in kinds:
        return lines[:1]
    thrown = [line[2:] for line in lines if line.startswith(": ")][:1]
    caused = [line.removeprefix(_CAUSE) for line in lines if line.startswith(_CAUSE)]
    return thrown + caused or lines[:1]


def _of_spark(text: str) -> Exhausted | None:
    for said, (message, next_step) in _IN_SPARK.items():
        if said in text:
            return Exhausted(f"{message} ({said}).", next_step=next_step)
    return None


def _of_system(problem: OSError) -> Exhausted | None:
    number = problem.errno or 0
    said = os.strerror(number)
    if number in _FILES:
        return Exhausted(f"Too many files are open ({said}).", next_step=_FILES[number])
    if number not in _DISKS:
        return None
    state, next_step = _DISKS[number]
    written = problem.filename2 or problem.filename  # of two files the second is the target
    disk = f"The disk of {written}" if isinstance(written, str) else "A disk"
    return Exhausted(f"{disk} {state} ({said}).", next_step=next_step)


def _kinds(problem: BaseException) -> set[str]:
    """The names of an error's types: only pipelines may import those of Spark."""
    return {kind.__name__ for kind in type(problem).__mro__}


def _text(problem: BaseException) -> str:
    """The text of an error; "" where Java has to be asked for it and is gone."""
    try:
        return str(problem)
    except Exception:  # noqa: BLE001 (whatever the bridge to Java raises)
        return ""
