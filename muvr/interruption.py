"""Signals that end a command do so as an interrupt from the keyboard does."""

import os
import signal
from types import FrameType
from typing import NoReturn

from muvr.terminal import drop_output

_OUTPUTS = (1, 2)  # stdout and stderr


def interrupt_on_signals() -> None:
    """From now on SIGTERM and SIGHUP raise KeyboardInterrupt: what was started is stopped first.

    Without it they would end the command at once, and leave the node and the service running that
    it started for itself. A SIGHUP that is ignored, as under `nohup`, stays so.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _hang_up)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _hang_up(_number: int, _frame: FrameType | None) -> NoReturn:
    """The terminal was closed: what would be written to it is dropped.

    The shell and the system send a SIGHUP each, and the second must not end the cleanup.
    """
    signal.signal(signal.SIGHUP, _do_nothing)  # unlike SIG_IGN no child inherits it
    for output in _OUTPUTS:
        try:
            os.write(output, b"")  # of no bytes: refused all the same by a terminal that is closed
        except OSError:
            drop_output(output)
    raise KeyboardInterrupt


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass
