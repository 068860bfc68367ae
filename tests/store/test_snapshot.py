"""A backup that fails or is killed leaves no copy of people's data."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from store.node import snapshot
from store.node.process import EmbeddedNode
from store.node.snapshot import DRAFT_MAX_AGE_S, make_backup

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
    killed, under_way = tmp_path / ".20261127T000000Z.draft", tmp_path / ".20261128T230000Z.draft"
    for draft, age_s in ((killed, DRAFT_MAX_AGE_S + 60), (under_way, DRAFT_MAX_AGE_S - 60)):
        draft.mkdir()
        os.utime(draft, (time.time() - age_s,) * 2)
    with pytest.raises(OSError, match="No space left"):
        backup(tmp_path / "20261129T000000Z")
    assert list(tmp_path.iterdir()) == [under_way]
