"""Real recordings for tests: SPAR-10, fetched by name and hash, read once per run."""

from pathlib import Path

import pytest

from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import read_spar
from schemas.config_file import load_config

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spar() -> list[ImportedRecording]:
    """All 140 recordings of ten people."""
    return read_spar(load_config(CHECKOUT / "conf.yaml").paths.datasets)
