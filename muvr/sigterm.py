"""SIGTERM ends a command as an interrupt from the keyboard does."""

import signal
from types import FrameType
from typing import NoReturn


def interrupt_on_sigterm() -> None:
    """From now on SIGTERM raises KeyboardInterrupt: what the command has started is stopped first.

    Without it a command dies where it stands, and the node and the service that it started for
    itself go on without it.
    """
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
