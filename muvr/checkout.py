"""The folder that this code is in."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
