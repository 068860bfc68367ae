"""The service's worker processes: one that ended unexpectedly is replaced, and the log says so."""

import logging
import signal

from uvicorn.supervisors import Multiprocess

_LOG = logging.getLogger(__name__)


class Workers(Multiprocess):
    """uvicorn's workers. Of one that ended it says so in a note, which a log of warnings lacks."""

    def keep_subprocess_alive(self) -> None:
        """Replace workers that ended or do not respond, and say how each of them ended."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for ended, present in zip(before, self.processes, strict=True):
            if present is not ended:
                how = how_ended(ended.exitcode)
                _LOG.error("Worker %s ended: %s. Another one takes its place.", ended.pid, how)


def how_ended(exitcode: int | None) -> str:
    """How a process ended, and what the usual reason is.

    Args:
        exitcode: as `multiprocessing` tells it: the negative number of a signal, or what the
            process has said.

    >>> how_ended(1), how_ended(-7)
    ('exit code 1', 'signal SIGBUS, as where a disk is full or fails')
    """
    reasons = {
        signal.SIGBUS: ", as where a disk is full or fails",
        signal.SIGKILL: ", as where memory is short or it did not respond in time",
    }
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        ended_by = signal.Signals(-exitcode)
    except ValueError:  # a real-time signal
        return f"signal {-exitcode}"
    return f"signal {ended_by.name}{reasons.get(ended_by, '')}"
