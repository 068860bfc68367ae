"""What is no whole backup, or cannot be restored here, is refused before anything is written."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from muvr.backup import (
    _require_known,
    backup,
    make_folder,
    require_one_backup,
    restore,
)
from muvr.erased_ledger import LEDGER, read_ledger
from muvr.service import Service
from schemas.errors import BadBackup, BadInput
from schemas.layout import LAYOUT
from store.cql import read_migrations
from store.migrate import FOLDER
from store.node.backup import FORMAT, MANIFEST, Backup, read_backup

NOW = datetime.now(UTC)
ROWS = "tables/users/da-1-bti-Data.db"


@pytest.fixture
def small_backup(tmp_path: Path) -> Path:
    """A whole backup of one file."""
    folder = tmp_path / "20261121T031500Z"
    (folder / "tables/users").mkdir(parents=True)
    (folder / ROWS).write_bytes(b"rows")
    digest = hashlib.sha256(b"rows").hexdigest()
    manifest = {
        "format": FORMAT,
        "made_at": NOW.isoformat(),
        "keyspace": "muvr",
        "cassandra": "5.0.9",
        "migrations": {},
        "layout": {},
        "files": [{"path": ROWS, "size": 4, "sha256": digest}],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_a_missing_or_changed_backup_file_is_named(small_backup: Path):
    assert read_backup(small_backup).bytes == 4
    (small_backup / ROWS).write_bytes(b"rOws")
    with pytest.raises(BadBackup, match=r"da-1-bti-Data\.db is missing or was changed"):
        read_backup(small_backup)
    (small_backup / ROWS).unlink()
    with pytest.raises(BadBackup, match=r"da-1-bti-Data\.db is missing or was changed"):
        read_backup(small_backup)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": FORMAT + 1}, f"its format is not {FORMAT}"),
        ({"files": [{"path": ROWS}]}, "no whole backup"),
        ({"colour": "red"}, "no whole backup"),
        (None, "no whole backup"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(
    small_backup: Path, changes: dict[str, object] | None, says: str
):
    manifest = json.loads((small_backup / MANIFEST).read_text())
    text = "half of" if changes is None else json.dumps({**manifest, **changes})
    (small_backup / MANIFEST).write_text(text)
    with pytest.raises(BadBackup, match=says):
        read_backup(small_backup)
    (small_backup / MANIFEST).unlink()
    with pytest.raises(BadBackup, match="no whole backup"):
        read_backup(small_backup)


HERE = {migration.name: migration.checksum for migration in read_migrations(FOLDER)}
FIRST = min(HERE)


@pytest.mark.parametrize(
    ("migrations", "layout", "says"),
    [
        (HERE, LAYOUT, None),
        ({FIRST: HERE[FIRST]}, LAYOUT, None),  # of an earlier release
        ({**HERE, FIRST: "another"}, LAYOUT, f"another release: {FIRST} differ here"),
        ({**HERE, "9999_later.cql": "any"}, LAYOUT, "9999_later.cql differ here"),
        (HERE, {**LAYOUT, "odd": "1"}, "keys were shaped with"),
    ],
    ids=["the same", "earlier", "changed", "later", "other keys"],
)
def test_a_backup_of_another_schema_is_refused(
    migrations: dict[str, str], layout: dict[str, str], says: str | None
):
    saved = Backup(NOW.isoformat(), "muvr", "5.0.9", migrations, layout, ())
    if says is None:
        _require_known(saved)
        return
    with pytest.raises(BadBackup, match=says):
        _require_known(saved)


def test_restoring_beside_a_running_service_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Service, "status", lambda _: SimpleNamespace(running=True))
    conf = tmp_path / "conf.yaml"
    conf.write_text(f"paths: {{data: {tmp_path / 'node'}}}\n")
    with pytest.raises(BadBackup, match="stop it first: muvr down"):
        restore(tmp_path, conf=conf)


def test_backing_up_an_outside_cluster_is_refused(tmp_path: Path):
    conf = tmp_path / "conf.yaml"
    conf.write_text("cassandra: {contact_points: [127.0.0.1]}\n")
    with pytest.raises(BadBackup, match="outside cluster"):
        backup(tmp_path, conf=conf)


def test_a_backup_folder_that_cannot_be_created_is_bad_input(tmp_path: Path):
    """It is refused before anything is copied."""
    (tmp_path / "a file").write_text("")
    with pytest.raises(BadInput, match="a file/backups cannot be made.* Name a folder"):
        make_folder(tmp_path / "a file" / "backups")


def test_restoring_from_a_folder_of_backups_suggests_the_newest(tmp_path: Path):
    with pytest.raises(BadInput, match="There is no whole backup in "):
        require_one_backup(tmp_path)
    for name in ("20261120T031500Z", "20261121T031500Z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    with pytest.raises(BadInput, match="holds 2 backups; name one, such as .*/20261121T031500Z"):
        require_one_backup(tmp_path)
    require_one_backup(tmp_path / name)


@pytest.mark.parametrize("text", [None, "[1]", "{", '{"ben": ""}'])
def test_ledger_of_erased_users_that_is_missing_or_damaged_stops_a_restore(
    small_backup: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
):
    """Otherwise erased users would be back without a word."""
    ledger = small_backup.parent / LEDGER
    if text is not None:
        ledger.write_text(text)
    conf = small_backup.parent / "conf.yaml"
    conf.write_text(f"paths: {{data: {small_backup.parent / 'node'}}}\n")
    monkeypatch.chdir(small_backup)
    with pytest.raises(BadBackup, match=f"{LEDGER} cannot be read .*copy both"):
        restore(Path(), conf=conf)


def test_damaged_ledger_stops_a_backup_before_anything_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / LEDGER).write_text("{")
    conf = tmp_path / "conf.yaml"
    conf.write_text(f"paths: {{data: {tmp_path / 'node'}}}\n")
    monkeypatch.setattr("muvr.backup.make_backup", lambda *_, **__: pytest.fail("it copies"))
    monkeypatch.setattr("muvr.context.CommandContext.run_async", lambda *_: {})
    with pytest.raises(BadBackup, match=f"{LEDGER} is damaged"):
        backup(tmp_path, conf=conf)


def test_whoever_is_erased_while_tables_are_copied_is_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The copied tables may hold them still."""
    erased: list[UUID] = []

    def copying(*_: object, **__: object) -> SimpleNamespace:
        erased.append(uuid4())
        return SimpleNamespace(files=(), bytes=0)

    conf = tmp_path / "conf.yaml"
    conf.write_text(f"paths: {{data: {tmp_path / 'node'}}}\n")
    monkeypatch.setattr("muvr.backup.make_backup", copying)
    monkeypatch.setattr(
        "muvr.context.CommandContext.run_async", lambda *_: dict.fromkeys(erased, True)
    )
    backup(tmp_path, conf=conf)
    assert [*read_ledger(tmp_path / LEDGER)] == erased != []
