"""The settings of commands on the shared node, and a trainer in place of the jobs."""

from pathlib import Path

import pytest

from muvr import jobs, schedule
from schemas.config import Cassandra
from tests.muvr.trainer import Trainer


@pytest.fixture
def conf(keyspace: Cassandra, tmp_path: Path) -> Path:
    """A conf.yaml with the shared keyspace."""
    path = tmp_path / "conf.yaml"
    path.write_text(
        f"cassandra: {{contact_points: [127.0.0.1], port: {keyspace.port}, "
        f"keyspace: {keyspace.keyspace}}}\n"
    )
    return path


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """Called by the scheduler and by reruns, whose server time is the trainer's."""
    made = Trainer()
    monkeypatch.setattr(schedule, "run_job", made.run_job)
    monkeypatch.setattr(jobs, "run_job", made.run_job)
    monkeypatch.setattr(schedule, "server_time", lambda: made.now)
    return made
