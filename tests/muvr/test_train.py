"""What `muvr train` checks before it begins."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ingest import stretches
from muvr.context import CommandContext
from muvr.terminal import Terminal
from muvr.train import TrainingEngine, families_on, keep_stretches, read_users, show_run, train
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
    """Those who teach everybody's model."""
    found = sorted(uuid4() for _ in range(3))
    monkeypatch.setattr(members, "members_of", lambda *_: [(one, "wrist-acc6") for one in found])
    return found


def test_a_user_whose_data_cannot_be_read_does_not_keep_the_others_from_training(
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


def test_without_the_database_nothing_is_trained(
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


def test_where_no_database_answers_it_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Ten families that each say the same would hide it."""
    asked: list[str] = []
    monkeypatch.setattr("muvr.train.run_job", lambda _, name, *__: asked.append(name))
    conf = tmp_path / "conf.yaml"
    (port,) = free_ports(1)
    conf.write_text(f"cassandra: {{port: {port}}}\n")
    with pytest.raises(DatabaseUnavailable, match="No Cassandra answers"):
        train("all", conf=conf)
    assert asked == []


def test_all_is_what_the_engine_can_run():
    """Seven families that run on Spark only are no failures of who asked for this process."""
    assert list(families_on(TrainingEngine.local)) == ["exercise", "activity", "form"]
    assert list(families_on(TrainingEngine.spark)) == list(ALL_JOBS)


def test_a_metric_without_values_is_not_shown(capsys: pytest.CaptureFixture[str]):
    """Nobody was named who has sets: there are no people to count."""
    run = {"family": "exercise", "run_id": UUID(int=1), "status": "nothing-to-do"}
    show_run(Terminal(), {**run, "metrics": {"people": {}}, "reasons": {"no set": 1}})
    said = capsys.readouterr().out
    assert "no set" in said
    assert "people" not in said


def test_only_words_that_a_command_takes_are_offered():
    """A replay knows nothing of changes."""
    assert (read_users("changed"), read_users("all", ["all"])) == ("changed", "all")
    for word in ("changed", "nobody"):
        with pytest.raises(
            BadInput, match=f"--users {word}: say all, or user ids .`muvr user show"
        ):
            read_users(word, ["all"])
