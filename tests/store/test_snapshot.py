"""A backup that fails or is killed leaves no copy of people's data."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from schemas.config import Cassandra, Paths
from schemas.errors import NodeFailed
from store.node import snapshot
from store.node.backup import DRAFT_SUFFIX, Backup, make_backup
from store.node.owner import acquire, require_restored
from store.node.process import EmbeddedNode
from store.node.restore import end_restore, restore_files
from store.node.snapshot import DRAFT_MAX_AGE_S, BackupFile

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodetool makes a snapshot; the disk is full after the first file."""

    def copy(_node: object, _tag: str, folder: Path, _progress: object) -> None:
        (folder / "samples.db").write_bytes(b"of somebody")
        raise OSError("No space left on device")

    monkeypatch.setattr(snapshot, "_nodetool", lambda *_: None)
    monkeypatch.setattr(snapshot, "_snapshots", lambda *_: [])
    monkeypatch.setattr(snapshot, "_copy_snapshot", copy)


def backup(folder: Path) -> None:
    node: Any = SimpleNamespace(config=SimpleNamespace(keyspace="muvr"))
    make_backup(cast(EmbeddedNode, node), folder, NOW, migrations={}, layout={})


@pytest.mark.usefixtures("full_disk")
def test_failed_backup_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        backup(tmp_path / "backups" / "20261129T000000Z")
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.usefixtures("full_disk")
def test_backup_removes_drafts_of_killed_ones_but_not_of_one_under_way(tmp_path: Path) -> None:
    under_way = tmp_path / f".20261128T230000Z{DRAFT_SUFFIX}"
    for name in (f".20261127T000000Z{DRAFT_SUFFIX}", under_way.name):
        (tmp_path / name).mkdir()
        age(tmp_path / name, DRAFT_MAX_AGE_S + (-60 if name == under_way.name else 60))
    with pytest.raises(OSError, match="No space left"):
        backup(tmp_path / "20261129T000000Z")
    assert list(tmp_path.iterdir()) == [under_way]


@pytest.mark.usefixtures("full_disk")
def test_backup_removes_nothing_of_other_programs(tmp_path: Path) -> None:
    backups, elsewhere = tmp_path / "backups", tmp_path / "elsewhere"
    theirs, file = backups / ".letters.draft", backups / f".a file{DRAFT_SUFFIX}"
    link = backups / f".a link{DRAFT_SUFFIX}"
    for folder in (theirs, elsewhere):
        folder.mkdir(parents=True)
        (folder / "letter").touch()
    file.touch()
    link.symlink_to(elsewhere)
    for path in (theirs, file, link):
        age(path, 2 * DRAFT_MAX_AGE_S)
    with pytest.raises(OSError, match="No space left"):
        backup(backups / "20261129T000000Z")
    assert sorted(backups.iterdir()) == sorted([theirs, file, link])
    assert (theirs / "letter").exists()
    assert (elsewhere / "letter").exists()


@pytest.mark.usefixtures("full_disk")
def test_draft_that_is_renamed_meanwhile_does_not_stop_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another backup has ended between the listing and the look at its draft."""
    renamed = tmp_path / f".20261128T230000Z{DRAFT_SUFFIX}"
    monkeypatch.setattr(Path, "glob", lambda *_: iter([renamed]))
    with pytest.raises(OSError, match="No space left"):
        backup(tmp_path / "20261129T000000Z")


def test_node_of_an_interrupted_restore_is_not_started(
    fresh_node: EmbeddedNode, tmp_path: Path
) -> None:
    """Erased users may be back in it, whom the service would not erase again."""
    acquire(fresh_node.folders).close()
    saved = Backup("", "muvr", "5.0.9", {}, {}, (BackupFile("tables/users/gone.db", 1, ""),))
    with pytest.raises(FileNotFoundError):
        restore_files(fresh_node, tmp_path, saved, {"users": uuid4()})
    with pytest.raises(NodeFailed, match="interrupted.*restore again into a new folder"):
        fresh_node.start()
    assert not fresh_node.status().running
    end_restore(fresh_node)
    require_restored(fresh_node.folders)


def test_snapshot_of_a_killed_backup_has_a_time_to_live(
    node: EmbeddedNode, keyspace: Cassandra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of this process runs after `kill -9`: Cassandra itself removes it."""
    own = EmbeddedNode(keyspace, node.paths)
    seconds: set[float] = set()

    def look(_node: object, tag: str, *_: object) -> tuple[BackupFile, ...]:
        for folder in snapshot._snapshots(own, tag):
            told = json.loads((folder / "manifest.json").read_text())
            begin, end = (datetime.fromisoformat(told[at]) for at in ("created_at", "expires_at"))
            seconds.add((end - begin).total_seconds())
        return ()

    monkeypatch.setattr(snapshot, "_copy_snapshot", look)
    make_backup(own, tmp_path / "20261129T000000Z", NOW, migrations={}, layout={})
    assert seconds == {DRAFT_MAX_AGE_S}
    assert snapshot._snapshots(own, "*") == []


def test_backup_removes_old_snapshots_of_killed_ones_but_not_of_one_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was killed meanwhile has not noted their time to live."""
    tables = tmp_path / "node" / "data" / "muvr"
    names = {"muvr-0123456789ab": 60, "muvr-ba9876543210": -60, "muvr-by-hand": 60}
    for name, seconds in names.items():
        (tables / "sets-1" / "snapshots" / name).mkdir(parents=True)
        age(tables / "sets-1" / "snapshots" / name, DRAFT_MAX_AGE_S + seconds)
    monkeypatch.setattr(snapshot, "_nodetool", lambda *_: None)
    monkeypatch.setattr("store.node.backup.cassandra_version", lambda *_: "5.0.9")
    monkeypatch.setattr("store.node.backup.cassandra_jars", lambda _: [])
    node = EmbeddedNode(Cassandra(), Paths(data=tmp_path / "node"))
    make_backup(node, tmp_path / "20261129T000000Z", NOW, migrations={}, layout={})
    left = {path.name for path in tables.glob("*/snapshots/*")}
    assert left == {"muvr-ba9876543210", "muvr-by-hand"}


def age(path: Path, seconds: float) -> None:
    """Date a file or folder back; of a link, the link itself."""
    os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)
