"""Processes of this machine, by their numbers."""

import os

import psutil


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended but is not waited for yet does not.

    >>> is_running(os.getpid())
    True
    """
    try:
        os.kill(pid, 0)  # asks only; /proc may hide the processes of other users
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except PermissionError:
        return True  # another user's
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
