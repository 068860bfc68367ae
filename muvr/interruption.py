"""Signals that end a command do so as an interrupt from the keyboard does."""

import os
import signal
import time
from types import FrameType

from muvr.terminal import drop_output

_OUTPUTS = (1, 2)  # stdout and stderr
_ONCE_IN_S = 10.0


def interrupt_on_signals() -> None:
    """From now on SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does.

    Without it they would end the command at once, and leave the node and the service running that
    it started for itself. A signal that is ignored, as SIGHUP under `nohup`, stays so.
    """
    interruption = _Interruption()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interruption)


class _Interruption:
    """A handler that takes signals which follow each other for one.

    The system and the shell both say that a terminal was closed, systemd ends a scheduler's child
    beside the scheduler, which does so too, and people press Ctrl-C twice: the second one must not
    end the cleanup.
    """

    def __init__(self) -> None:
        self._at_s = -_ONCE_IN_S

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt the command, unless it was just interrupted."""
        now_s = time.monotonic()
        if now_s - self._at_s < _ONCE_IN_S:
            return
        self._at_s = now_s
        for output in _OUTPUTS:
            try:
                os.write(output, b"")  # refused by a terminal that was closed, also of no bytes
            except OSError:
                drop_output(output)
        raise KeyboardInterrupt
