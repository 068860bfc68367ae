"""Processes of this machine, by their numbers, and workers that end with who started them."""

import multiprocessing
import os
import signal
import threading

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


def end_with_parent() -> None:
    """End this worker process when the one that started it was killed, as SIGTERM would.

    It would wait for work, or go on with its own, for ever.
    """
    if parent := multiprocessing.parent_process():

        def wait() -> None:
            """Return only when the parent is gone, and then end this process."""
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=wait, name="parent", daemon=True).start()
