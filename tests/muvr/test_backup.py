"""A backup is restored completely into an empty node; erased users stay erased."""

import asyncio
import json
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import AsyncMock, MagicMock
from uuid import UUID, uuid4

import pytest

from ingest.erasure import BegunErasure, erase_user
from muvr.backup import _count, _erase_from_restored, backup, restore
from muvr.context import CommandContext
from muvr.erased_ledger import LEDGER
from muvr.erasing_again import ERASED_AT_ONCE
from muvr.up import up
from schemas.config import Cassandra
from schemas.errors import BadBackup, NodeFailed
from store.connection import connect
from store.database import Database
from store.migrate import migrate
from store.node.folders import Folders
from store.node.preflight import is_free
from store.node.process import EmbeddedNode
from store.users import User, Users
from tests.cassandra_node import own_node, quick_tables

NOW = datetime.now(UTC)
TABLES = ("users", "usernames", "samples", "sets", "champions", "live_runs", "job_run_users")
KEYSPACE = "muvr_backup"
LONG_AGO_US = 1_700_000_000_000_000
SET = (
    "INSERT INTO sets (user_id, session_id, set_id, exercise, reps, revision) "
    "VALUES (?, ?, ?, 'curl', 10, 1) USING TIMESTAMP ?"
)


def conf_of(folder: Path, node: EmbeddedNode) -> Path:
    settings = node.config
    path = folder / "conf.yaml"
    path.write_text(
        f"paths: {{data: {node.folders.root}}}\n"
        f"cassandra: {{port: {settings.port}, storage_port: {settings.storage_port}, "
        f"jmx_port: {settings.jmx_port}, heap_mb: 512, keyspace: {KEYSPACE}}}\n"
    )
    return path


def register(database: Database, name: str) -> UUID:
    user = User(uuid4(), name, "hash", frozenset({"predict"}), NOW)
    asyncio.run(Users(database).register(user))
    return user.user_id


def fill(database: Database) -> dict[str, UUID]:
    """Three users, one of whom is erased before the backup, and rows of every kind."""
    people = {name: register(database, name) for name in ("anna", "ben", "cleo")}
    session = uuid4()
    for number in range(300):
        database.execute(
            "INSERT INTO samples (user_id, session_id, stream, part, seq, sha256, xyz) "
            "VALUES (?, ?, 'acc', ?, ?, ?, ?)",
            (people["anna"], session, number // 128, number, bytes([number % 256]) * 32, b"x" * 99),
        )
    for person in people.values():
        database.execute(SET, (person, session, uuid4(), LONG_AGO_US))
    database.execute("DELETE FROM sets WHERE user_id = ?", (people["anna"],))
    asyncio.run(erase_user(database, people["cleo"], NOW))
    return people


def contents(database: Database) -> dict[str, list[str]]:
    """All rows of some tables, and the write times of samples."""
    rows = {
        table: sorted(str(row) for row in database.execute(f"SELECT * FROM {table}"))
        for table in TABLES
    }
    times = database.execute("SELECT seq, WRITETIME(xyz) AS at FROM samples")
    return {**rows, "times": sorted(str(row) for row in times)}


@pytest.fixture
def database(fresh_node: EmbeddedNode) -> Iterator[Database]:
    with quick_tables():
        fresh_node.start()
    settings = fresh_node.config.model_copy(update={"keyspace": KEYSPACE})
    migrate(settings)
    connection = connect(settings, keyspace=settings.keyspace)
    yield connection
    connection.close()


def back_up(backups: Path, conf: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Make a backup; its folder."""
    backup(backups, conf=conf, as_json=True)
    return Path(json.loads(capsys.readouterr().out)["folder"])


def erased_before_anybody_looks(patch: pytest.MonkeyPatch, node: EmbeddedNode) -> None:
    """Let a restore fail if a service or a job could reach the node before the second erasure."""

    def erase_out_of_reach(context: CommandContext, users: Sequence[UUID]) -> None:
        assert context.node.status().running
        assert is_free(node.config.port)
        _erase_from_restored(context, users)

    patch.setattr("muvr.backup._erase_from_restored", erase_out_of_reach)


def without(rows: dict[str, list[str]], user_id: UUID) -> dict[str, list[str]]:
    return {table: [row for row in of if str(user_id) not in row] for table, of in rows.items()}


@pytest.mark.timeout(900)  # starts three nodes
def test_a_backup_is_restored_into_an_empty_node_without_erased_users(
    fresh_node: EmbeddedNode,
    database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    conf, backups = conf_of(tmp_path, fresh_node), tmp_path / "backups"
    people = fill(database)
    folder = back_up(backups, conf, capsys)
    kept = contents(database)
    require_private_and_tidy(fresh_node, backups, folder)
    assert json.loads((backups / LEDGER).read_text()).keys() == {str(people["cleo"])}
    with pytest.raises(BadBackup, match="not empty"):
        restore(folder, conf=conf, as_json=True)

    asyncio.run(erase_user(database, people["ben"], NOW + timedelta(seconds=1)))
    back_up(backups, conf, capsys)  # the later ledger includes Ben
    listed = json.loads((backups / LEDGER).read_text())
    long_erased = {str(uuid4()): (NOW - timedelta(days=400)).isoformat()}
    (backups / LEDGER).write_text(json.dumps({**listed, **long_erased}))

    (tmp_path / "other").mkdir()
    with own_node(tmp_path / "empty") as empty:
        empty_conf = conf_of(tmp_path / "other", empty)
        erased_before_anybody_looks(monkeypatch, empty)
        with quick_tables():  # the node is stopped cleanly
            restore(folder, conf=empty_conf, as_json=True)
        require_complete_report(capsys)
        assert not empty.status().running, "it was not running before"
        with pytest.raises(BadBackup, match=r"not empty \(users, sessions, samples, "):
            restore(folder, conf=empty_conf, as_json=True)
        assert not capsys.readouterr().err, "its files show that it is not empty: it is not started"

        empty.start()
        empty.folders.unfinished_restore.touch()  # as after a restore that was killed
        with pytest.raises(NodeFailed, match="interrupted.*muvr down.*into a new folder"):
            up(conf=empty_conf)
        assert contents_after_a_late_replay(empty, people["anna"]) == without(kept, people["ben"])


def require_private_and_tidy(node: EmbeddedNode, backups: Path, folder: Path) -> None:
    assert not list(node.folders.root.glob("data/*/*/snapshots/*")), "no snapshots are left"
    for place in (node.folders.root, backups, folder):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700, "for no other account to read"


def require_complete_report(capsys: pytest.CaptureFixture[str]) -> None:
    """Both starts of the node, all of Anna's samples, and Ben and Cleo erased again."""
    printed = capsys.readouterr()
    assert printed.err.count("starting Cassandra ...") == 2
    assert printed.err.count("starting Cassandra: done") == 2
    report = json.loads(printed.out)
    assert (report["rows"]["users"], report["rows"]["samples"]) == (1, 300)
    assert (report["erased_again"], report["erased_before"]) == (2, 1)


def contents_after_a_late_replay(node: EmbeddedNode, user_id: UUID) -> dict[str, list[str]]:
    """All rows after a set came again that had been deleted before the backup."""
    connection = connect(node.config, keyspace=KEYSPACE)
    connection.execute(SET, (user_id, uuid4(), uuid4(), LONG_AGO_US))
    found = contents(connection)
    connection.close()
    return found


def test_restored_rows_are_counted_only_up_to_a_limit():
    """Otherwise restoring a large backup would fail when its rows are counted."""

    class Large:
        async def run(self, cql: str, values: tuple[int]) -> range:
            assert re.fullmatch(r"SELECT (user_id|owner) FROM \w+ LIMIT \?", cql)
            return range(min(10**9, *values))

    assert set(asyncio.run(_count(Large(), 7)).values()) == {7}


def test_a_node_started_for_a_failed_restore_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Otherwise it would occupy the port at the next attempt with a new folder."""
    stopped: list[EmbeddedNode] = []

    def is_full(*_: object) -> None:
        raise BadBackup("The node is not empty.")

    for name in ("require_one_backup", "read_ledgers", "read_backup", "_require_known"):
        monkeypatch.setattr(f"muvr.backup.{name}", lambda *_: MagicMock(made_at=str(NOW)))
    monkeypatch.setattr("muvr.backup._fill", is_full)
    monkeypatch.setattr(EmbeddedNode, "stop", lambda node: stopped.append(node))
    conf = tmp_path / "conf.yaml"
    conf.write_text(f"paths: {{data: {tmp_path / 'node'}}}\n")
    with pytest.raises(BadBackup, match="not empty"):
        restore(tmp_path, conf=conf)
    assert len(stopped) == 1


def test_users_erased_since_a_snapshot_of_a_cluster_are_erased_again(
    conf: Path, keyspace: Cassandra, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The cluster's own tools copy and restore its tables; Muvr keeps the list."""
    connection = connect(keyspace, keyspace=keyspace.keyspace)
    users, name = Users(connection), f"ben-{uuid4().hex[:8]}"
    ben = register(connection, name)
    asyncio.run(erase_user(connection, ben, NOW))
    backup(tmp_path / "ledger", erased_only=True, conf=conf, as_json=True)
    assert str(ben) in json.loads((tmp_path / "ledger" / LEDGER).read_text())
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(tmp_path / "ledger")

    back = User(ben, name, "hash", frozenset({"predict"}), NOW)
    asyncio.run(users.register(back))  # as after the restore of a snapshot from before
    (tmp_path / "ledger" / LEDGER).write_text(json.dumps({str(ben): NOW.isoformat()}))
    restore(tmp_path / "ledger", erased_only=True, conf=conf, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"erased_again": 1}
    assert asyncio.run(users.by_id(ben)) is None
    connection.close()


def test_interrupted_second_erasure_has_announced_all_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The node is full then: the service's sweep erases the others, no second restore can."""
    users, announced, erased = [uuid4() for _ in range(4)], list[UUID](), list[UUID]()
    context = restoring(tmp_path)

    async def announce(_: object, user_id: UUID, __: datetime) -> None:
        assert context.node.folders.unfinished_restore.exists()
        announced.append(user_id)

    async def begin(_: object, user_id: UUID, *__: object, **___: object) -> None:
        if len(erased) == 2:
            raise KeyboardInterrupt
        erased.append(user_id)

    monkeypatch.setattr("muvr.erasing_again.announce_erasure", announce)
    monkeypatch.setattr("muvr.erasing_again.begin_erasure", begin)
    read_names(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        _erase_from_restored(context, users)
    assert (announced, erased) == (users, users[:2])
    assert not context.node.folders.unfinished_restore.exists(), "the service may erase the others"


def test_second_erasure_takes_several_users_at_a_time_and_reads_follows_and_names_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """With the service down, some thousand users one after the other would take hours."""
    users, ended = [uuid4() for _ in range(3 * ERASED_AT_ONCE)], list[list[UUID]]()
    under_way = at_most = 0
    context = restoring(tmp_path)

    async def begin(
        _: object, user_id: UUID, *__: object, outside_names: Sequence[str], **___: object
    ) -> BegunErasure:
        nonlocal under_way, at_most
        assert outside_names == [f"of {user_id}"]
        under_way += 1
        at_most = max(at_most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return BegunErasure(user_id, {}, None)

    async def end(_: object, begun: Sequence[BegunErasure], __: datetime) -> None:
        ended.append([one.user_id for one in begun])

    monkeypatch.setattr("muvr.erasing_again.announce_erasure", AsyncMock())
    monkeypatch.setattr("muvr.erasing_again.begin_erasure", begin)
    monkeypatch.setattr("muvr.erasing_again.end_erasures", end)
    read = read_names(monkeypatch)
    _erase_from_restored(context, users)
    assert at_most == ERASED_AT_ONCE
    read.assert_awaited_once_with(users)
    assert [sorted(once) for once in ended] == [sorted(users)]
    steps = [call.args for call in context.terminal.step.call_args_list]
    assert ("erasing again", len(users), len(users)) in steps


def test_second_erasure_interrupted_before_all_are_announced_leaves_the_node_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    users, announced = [uuid4() for _ in range(4)], list[UUID]()
    context = restoring(tmp_path)

    async def announce(_: object, user_id: UUID, __: datetime) -> None:
        if len(announced) == 3:
            raise KeyboardInterrupt
        announced.append(user_id)

    monkeypatch.setattr("muvr.erasing_again.announce_erasure", announce)
    with pytest.raises(KeyboardInterrupt):
        _erase_from_restored(context, users)
    assert context.node.folders.unfinished_restore.exists()


def read_names(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    """What reads the names of outside subjects, before users are erased again."""
    read = AsyncMock(side_effect=lambda users: {user: [f"of {user}"] for user in users})
    monkeypatch.setattr(Users, "outside_names", read)
    return read


def restoring(root: Path) -> MagicMock:
    """A context whose node has its files back, in a folder."""
    context = MagicMock()
    context.run_async = lambda work: asyncio.run(work(None))
    context.node.folders = Folders(root)
    context.node.folders.unfinished_restore.touch()
    return context
