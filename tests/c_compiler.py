"""The C compiler of this machine, for tests that compile with other options than `make` does."""

import runpy
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def compiler() -> list[str]:
    """The compiler command. Without one the test is skipped: `make` fetches and removes its own."""
    found = runpy.run_path(str(CHECKOUT / "locks" / "kernel.py"))["compiler_here"]()
    return found or pytest.skip("no C compiler on this machine")
