"""Functions of the operating system that only one module finds changed."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


def os_with(**functions: Callable[..., Any]) -> SimpleNamespace:
    """A module os for one module of ours: other threads of the process keep the real functions."""
    return SimpleNamespace(**{**vars(os), **functions})
