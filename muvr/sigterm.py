"""SIGTERM ends a command as an interrupt from the keyboard does."""

import signal
from types import FrameType
from typing import NoReturn


def interrupt_on_sigterm() -> None:
    """From now on SIGTERM raises KeyboardInterrupt: what the command has started is stopped first.

    Without it SIGTERM would end the command at once, and leave the node and the service running
    that it started for itself.
    """
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
