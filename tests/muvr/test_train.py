"""`muvr train`: what it checks and prepares before training, and its output."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ingest import stretches
from muvr.context import CommandContext
from muvr.family_jobs import TrainingEngine, keep_stretches, read_users
from muvr.scoreboard import show_run
from muvr.terminal import Terminal
from muvr.train import families_on, train
from pipelines.jobs import ALL_JOBS
from pipelines.lifecycle import members
from schemas.config import Cassandra, Config
from schemas.errors import BadInput, DatabaseUnavailable
from tests.cassandra_node import ON_NODE, free_ports

pytestmark = ON_NODE


@pytest.fixture
def context(keyspace: Cassandra, tmp_path: Path) -> CommandContext:
    return CommandContext(
        Config(cassandra=keyspace), tmp_path / "conf.yaml", Terminal(as_json=True)
    )


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The users whose data trains the global model."""
    found = sorted(uuid4() for _ in range(3))
    monkeypatch.setattr(members, "members_of", lambda *_: [(one, "wrist-acc6") for one in found])
    return found


def test_a_user_with_unreadable_data_does_not_stop_the_others(
    context: CommandContext, users: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    done: list[UUID] = []
    said: list[str] = []
    monkeypatch.setattr(context.terminal, "fail", said.append)

    async def project(_: object, user_id: UUID, now_us: int) -> int:
        assert now_us > 0
        if user_id == users[1]:
            raise OverflowError("date value out of range")
        done.append(user_id)
        return 1

    monkeypatch.setattr(stretches, "project_stretches", project)
    keep_stretches(context)
    assert done == [users[0], users[2]]
    (line,) = said
    assert str(users[1]) in line
    assert line.endswith("OverflowError: date value out of range")


def test_a_database_failure_stops_training(
    context: CommandContext, users: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    asked: list[UUID] = []

    async def project(_: object, user_id: UUID, __: int) -> int:
        asked.append(user_id)
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(stretches, "project_stretches", project)
    with pytest.raises(DatabaseUnavailable):
        keep_stretches(context)
    assert asked == users[:1]


def test_training_all_without_a_database_fails_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The same error from each of ten families would be hard to read."""
    asked: list[str] = []
    monkeypatch.setattr("muvr.train.run_job", lambda _, name, *__: asked.append(name))
    conf = tmp_path / "conf.yaml"
    (port,) = free_ports(1)
    conf.write_text(f"cassandra: {{port: {port}}}\n")
    with pytest.raises(DatabaseUnavailable, match="No Cassandra answers"):
        train("all", conf=conf)
    assert asked == []


def test_all_selects_the_families_of_the_engine():
    """The families that run only on Spark do not fail on the local engine: they are left out."""
    assert list(families_on(TrainingEngine.local)) == ["exercise", "activity", "form"]
    assert list(families_on(TrainingEngine.spark)) == list(ALL_JOBS)


def test_a_metric_without_values_is_not_shown(capsys: pytest.CaptureFixture[str]):
    """No user of the run had sets, so there are no values."""
    run = {"family": "exercise", "run_id": UUID(int=1), "status": "nothing-to-do"}
    show_run(Terminal(), {**run, "metrics": {"people": {}}, "reasons": {"no set": 1}})
    said = capsys.readouterr().out
    assert "no set" in said
    assert "people" not in said


def test_unsupported_users_options_are_rejected_with_the_valid_ones():
    """A replay does not support `changed`."""
    assert (read_users("changed"), read_users("all", ["all"])) == ("changed", "all")
    for word in ("changed", "nobody"):
        with pytest.raises(
            BadInput, match=f"--users {word}: say all, or user ids .`muvr user show"
        ):
            read_users(word, ["all"])
