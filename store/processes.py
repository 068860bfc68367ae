"""Processes of this machine, by their numbers."""

import os

import psutil


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended but is not waited for yet does not.

    The first thread of many may have ended before the last one, which still holds files and locks.

    >>> is_running(os.getpid())
    True
    """
    try:
        os.kill(pid, 0)  # asks only; /proc may hide the processes of other users
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except PermissionError:
        return True  # another user's
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
