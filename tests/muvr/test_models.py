"""`muvr models`: list, show, promote and roll back champions."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from muvr import jobs
from muvr import models as commands
from muvr.cli import command_line
from schemas.errors import BadInput, Conflict, NoModel, NotFound
from schemas.ids import uuid7
from schemas.layout import owner_of
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns
from store.live_runs import LiveRuns
from store.models import Models, StoredModel
from store.pointers import Challenger
from store.users import User, Users
from tests.store.stored_models import a_model

NOW = datetime.now(UTC)


def register(database: Database) -> User:
    name = f"person-{uuid.uuid4().hex[:12]}"
    user = User(uuid.uuid4(), name, "hash", frozenset({"predict"}), NOW)
    asyncio.run(Users(database).register(user))
    return user


def serve(database: Database, kept: StoredModel) -> None:
    """Store a model and make it its owner's champion."""
    challenger: Challenger = Challenger.of(kept)

    async def work() -> None:
        await Models(database).put(kept)
        champions = Champions(database)
        await champions.promote(challenger, await champions.read(kept.key), NOW)

    asyncio.run(work())


def test_names_are_found_in_any_spelling(database: Database, conf: Path) -> None:
    user = register(database)
    serve(database, kept := a_model(owner_of(user.user_id), b"first"))
    app, typed = command_line(), user.username.upper()
    for words in (
        ("token", "revoke", typed),
        ("user", "show", typed),
        ("user", "show", str(user.user_id).upper()),
        ("user", "grant", typed, "operate"),
        ("user", "withdraw", typed, "operate"),
        ("models", "list", typed),
        ("models", "promote", typed, kept.version),
    ):
        done = CliRunner().invoke(app, [*words, "--config", str(conf)])
        assert done.exit_code == 0, (words, done.output, done.exception)
    done = CliRunner().invoke(app, ["models", "rollback", typed, "--config", str(conf)])
    assert isinstance(done.exception, NoModel), "the user is found, and has one version"


def test_the_serving_model_is_shown_after_its_run_is_withdrawn(
    database: Database, conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = register(database)
    first, second = (a_model(owner_of(user.user_id), content) for content in (b"first", b"second"))
    second = second._replace(manifest={**second.manifest, "golden": {"x": [0.125]}})
    serve(database, first)
    serve(database, second)

    def listed() -> tuple[str, str | None]:
        capsys.readouterr()
        commands.list_models(user.username, conf=conf, as_json=True)
        (one,) = json.loads(capsys.readouterr().out)
        return one["version"], one["serves"]

    assert listed() == (second.version, second.version)
    commands.list_models(str(user.user_id), conf=conf)
    assert second.version in capsys.readouterr().out, "jobs refer to users by id"
    commands.show(user.username, conf=conf)
    said = capsys.readouterr().out
    assert "windows: 0.99" in said
    assert "0.125" not in said, "golden vectors are too long to show"

    asyncio.run(Champions(database).withdraw(second.run_id, "a test", NOW))
    assert listed() == (second.version, first.version)
    commands.export(user.username, tmp_path / "model.npz", conf=conf)
    assert (tmp_path / "model.npz").read_bytes() == b"first"
    with pytest.raises(Conflict, match="was withdrawn.*--users all"):
        commands.promote(user.username, second.version, conf=conf)
    capsys.readouterr()
    commands.promote(user.username, first.version, conf=conf)
    assert "Every worker follows within 2 s" in capsys.readouterr().out
    assert listed() == (first.version, first.version)


@pytest.fixture
def live_runs(database: Database) -> Iterator[list[uuid.UUID]]:
    """Three runs of a family over all users that were live one after the other."""
    family, live, ids = "recommend", LiveRuns(database), []

    async def work() -> None:
        runs = JobRuns(database)
        for hours in (3, 2, 1):
            at = NOW - timedelta(hours=hours)
            run = uuid7(int(at.timestamp() * 1000), uuid.uuid4().bytes)
            await runs.start(family, run, {}, at)
            await runs.finish(family, run, "done", at, counts={}, metrics={}, reasons={})
            assert await live.go_live(family, run, at, {}, ids[-1] if ids else None)
            ids.append(run)

    asyncio.run(work())
    yield ids
    for table in ("live_runs", "job_runs"):
        database.execute(f"DELETE FROM {table} WHERE family = '{family}'")


def test_live_runs_are_rolled_back_one_by_one_and_the_kept_ones_are_listed(
    live_runs: list[uuid.UUID], conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = live_runs
    for run, live, kept in ((third, second, [first]), (second, first, []), (first, None, [])):
        capsys.readouterr()
        commands.rollback(run=run, conf=conf, as_json=True)
        said = json.loads(capsys.readouterr().out)
        assert (said["live"], said["kept"]) == (live and str(live), [str(one) for one in kept])
    commands.rollback(run=first, conf=conf)  # repeating it changes nothing
    assert "No run of recommend is live" in capsys.readouterr().out
    jobs.list_jobs("recommend", conf=conf, as_json=True)
    assert {run["run_id"] for run in json.loads(capsys.readouterr().out) if run["withdrawn"]} == {
        str(run) for run in live_runs
    }
    jobs.show_job("recommend", first, conf=conf)
    assert "done, withdrawn" in capsys.readouterr().out


def test_runs_of_all_families_are_listed_newest_first(
    database: Database, conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As over HTTP. By family, a run of last month could be listed above a recent one."""

    async def work() -> None:
        for hours, family in ((3, "rank"), (2, "clusters"), (1, "rank")):
            at = NOW - timedelta(hours=hours)
            run = uuid7(int(at.timestamp() * 1000), uuid.uuid4().bytes)
            await JobRuns(database).start(family, run, {}, at)

    asyncio.run(work())
    jobs.list_jobs(conf=conf, as_json=True)
    listed = [run["started_at"] for run in json.loads(capsys.readouterr().out)]
    for family in ("rank", "clusters"):
        database.execute(f"DELETE FROM job_runs WHERE family = '{family}'")
    assert len(listed) >= 3
    assert listed == sorted(listed, reverse=True)


def test_a_rollback_past_the_oldest_model_lists_the_kept_versions(
    database: Database, conf: Path
) -> None:
    user = register(database)
    owner = owner_of(user.user_id)
    first, second, third = (a_model(owner, content) for content in (b"1st", b"2nd", b"3rd"))
    for one in (first, second, third):
        serve(database, one)
    commands.rollback(user.username, conf=conf)
    commands.rollback(user.username, conf=conf)
    asyncio.run(Champions(database).withdraw(third.run_id, "a test", NOW))
    with pytest.raises(NoModel) as caught:
        commands.rollback(user.username, conf=conf)
    assert f"muvr models promote` lets a kept version serve: {second.version}" in str(caught.value)
    assert str(caught.value).startswith(user.username)  # by the name that was typed, not by id
    with pytest.raises(NoModel, match=f"for {user.username}, .*{second.version}"):
        commands.promote(user.username, "of yesterday", conf=conf)
    assert first.version not in str(caught.value), "it is serving"
    assert third.version not in str(caught.value), "it was withdrawn"


def test_a_rollback_reports_its_model_id_and_the_unchanged_ones(
    database: Database, conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run learns one model per input, and a rollback might be expected to affect both."""
    user = register(database)
    owner = owner_of(user.user_id)
    for model_id in ("wrist-acc6", "wrist-acc3"):
        for content in (b"1st", b"2nd"):
            named = f"{model_id} {content!r}".encode()
            serve(database, a_model(owner, named)._replace(model_id=model_id))
    commands.rollback(user.username, conf=conf)
    said = capsys.readouterr().out
    assert "for wrist-acc6 again" in said
    assert "for wrist-acc3 stays: see --model-id" in said


def test_models_over_sets_need_no_model_id(
    database: Database, conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`load` has no sensor input, so users do not expect to name its layout."""
    user = register(database)
    owner = owner_of(user.user_id)
    first, second = (
        a_model(owner, content)._replace(model_id="sets", family="load")
        for content in (b"first load", b"second load")
    )
    asyncio.run(Models(database).put(first))
    commands.promote(user.username, first.version, family="load", conf=conf)
    serve(database, second)
    commands.rollback(user.username, family="load", conf=conf)
    capsys.readouterr()
    commands.list_models(user.username, conf=conf, as_json=True)
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["model_id"], one["serves"]) == ("sets", first.version)
    commands.show(user.username, family="load", conf=conf)
    assert "load" in capsys.readouterr().out


def test_an_export_to_an_unwritable_path_is_bad_input(
    database: Database, conf: Path, tmp_path: Path
) -> None:
    user = register(database)
    serve(database, a_model(owner_of(user.user_id), b"a model"))
    for path in (tmp_path, tmp_path / "not there" / "model.npz"):
        with pytest.raises(BadInput, match="cannot be written.* Name a file in a folder"):
            commands.export(user.username, path, conf=conf)


def test_commands_for_a_missing_model_user_or_run_explain_the_next_step(
    database: Database, conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = register(database)
    with pytest.raises(NotFound, match=f"muvr models list {user.username}`"):
        commands.show(user.username, conf=conf)
    commands.list_models(user.username, conf=conf)
    assert f"No model has been promoted for {user.username} yet" in capsys.readouterr().out
    with pytest.raises(NotFound, match="There is no user"):
        commands.list_models("nobody-at-all", conf=conf)
    with pytest.raises(BadInput, match="either a user or --run"):
        commands.rollback(conf=conf)
    with pytest.raises(NotFound, match="There is no run"):
        commands.rollback(run=uuid.uuid4(), conf=conf)
