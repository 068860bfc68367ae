"""What the tree itself promises: one word finds a family in every room."""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.families import FAMILIES

CHECKOUT = Path(__file__).resolve().parents[1]
EMPTY_WORDS = {"utils", "util", "helpers", "common", "misc", "manager", "base"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_its_place_in_every_room(family: str):
    assert (CHECKOUT / "models" / family).is_dir()
    assert (CHECKOUT / "tests" / "models" / f"test_{family}.py").is_file()
    if FAMILIES[family].kind != "kernel":
        assert (CHECKOUT / "pipelines" / f"{family}.py").is_file()


def test_no_module_is_named_for_nothing():
    modules = [p for room in CHECKOUT.iterdir() if room.is_dir() for p in room.rglob("*.py")]
    assert [p for p in modules if p.stem in EMPTY_WORDS and ".venv" not in p.parts] == []


def test_a_service_that_nobody_asks_to_count_does_not_hold_what_only_counting_needs():
    code = "import sys, api.app; sys.exit('scipy.signal' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0
