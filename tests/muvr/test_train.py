"""`muvr train`: what it checks and prepares before training, and its output."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import typer

from ingest import stretches
from muvr.context import CommandContext
from muvr.family_jobs import keep_stretches, read_users
from muvr.replay import replay
from muvr.scoreboard import show_run
from muvr.terminal import Terminal
from muvr.train import families_on, train
from pipelines.jobs import ALL_JOBS, JOBS
from pipelines.lifecycle import members
from pipelines.lifecycle.runs import RunReport
from schemas.config import Cassandra, Config
from schemas.errors import BadInput, DatabaseUnavailable, LeaseHeld
from tests.cassandra_node import ON_NODE
from tests.ports import free_ports

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


@pytest.fixture
def replaying(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The counts of a replay that has come to its end, of a node that is not asked."""
    counts = {"replayed": 2}
    report = RunReport("replay", UUID(int=1), "done", counts, {}, {}, {})
    monkeypatch.setattr("muvr.replay.replay_journal", lambda *_, **__: report)
    return counts


@pytest.mark.usefixtures("replaying")
def test_replay_learns_every_family_and_one_that_is_busy_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def run_job(_: object, family: str, *__: object) -> RunReport:
        if family == "load":
            raise LeaseHeld("The schedule is training it.")
        return RunReport(family, UUID(int=2), "done", {}, {}, {}, {})

    monkeypatch.setattr("muvr.train.run_job", run_job)
    with pytest.raises(typer.Exit) as end:
        replay(models=True, as_json=True)
    assert end.value.exit_code == 1
    answer = json.loads(capsys.readouterr().out)
    others = [family for family in JOBS if family != "load"]
    assert [run["family"] for run in answer["runs"]] == ["replay", *others]
    assert answer["failed"] == {"load": "The schedule is training it."}


def test_replay_without_all_rows_of_a_user_fails(
    replaying: dict[str, int], capsys: pytest.CaptureFixture[str]
):
    replay(as_json=True)
    assert json.loads(capsys.readouterr().out)["failed"] == {}
    replaying["failed"] = 1
    with pytest.raises(typer.Exit) as end:
        replay(as_json=True)
    assert end.value.exit_code == 1


def test_training_is_done_although_a_user_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    counts = {"promoted": 999, "failed": 1}
    report = RunReport("exercise", UUID(int=1), "done", counts, {}, {"IndexError": 1}, {})
    monkeypatch.setattr("muvr.train.run_job", lambda *_: report)
    train("exercise", as_json=True)  # and does not end with an exit code
    answer = json.loads(capsys.readouterr().out)
    assert [run["counts"] for run in answer["runs"]] == [counts]


def test_all_selects_the_families_of_the_engine():
    """The families that run only on Spark do not fail on the local engine: they are left out."""
    on_local = ["exercise", "activity", "form", "intensity", "load", "next"]
    assert list(families_on("local")) == on_local
    assert list(families_on("spark")) == list(ALL_JOBS)


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
