"""Whose folder a node's is: its record, its lock, and who may read it."""

import errno
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import FolderInUse
from store.node import owner, process
from store.node.owner import NodeRecord, acquire, write_record
from store.node.process import EmbeddedNode


def test_start_on_a_folder_in_use_does_not_kill_its_owner(
    fresh_node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_node, "kill", lambda: pytest.fail("it was another's"))
    with acquire(fresh_node.folders), pytest.raises(FolderInUse):
        fresh_node.start()


def test_node_that_is_slow_to_answer_is_waited_for(
    fresh_node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one on a busy machine: `muvr up` would else start it again."""
    assert not fresh_node.await_answer(), "it does not run"
    answers = iter([False, False, False, True])
    monkeypatch.setattr(process, "responds", lambda _: next(answers))
    with acquire(fresh_node.folders):
        write_record(fresh_node.folders, NodeRecord(os.getpid(), 9042, "5.0.9"))
        assert not fresh_node.await_answer(within_s=0.0)
        assert fresh_node.await_answer()
    assert next(answers, None) is None


def test_record_that_was_cut_short_is_ignored(fresh_node: EmbeddedNode) -> None:
    fresh_node.folders.root.mkdir(parents=True)
    for content in ("", "{}", '{"pid": 1'):
        fresh_node.folders.record.write_text(content)
        assert not fresh_node.status().running


def test_folder_of_another_user_is_refused(
    fresh_node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire(fresh_node.folders).close()

    def denied(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(FolderInUse, match="another user"):
        fresh_node.status()
    with pytest.raises(FolderInUse, match="another user"):
        acquire(fresh_node.folders)


def test_node_on_a_disk_that_became_read_only_is_found_and_stopped(
    fresh_node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, open_path = fresh_node.folders, Path.open

    def only_read(path: Path, mode: str = "r", **how: Any) -> Any:
        if mode not in ("r", "rb"):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return open_path(path, mode, **how)

    def keep(path: Path, **_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with acquire(folders) as lock:
        running = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()])
    with running:
        owner.write_record(folders, owner.NodeRecord(running.pid, 1, "5.0.9"))
        monkeypatch.setattr(Path, "open", only_read)
        monkeypatch.setattr(Path, "unlink", keep)
        assert fresh_node.status().pid == running.pid
        assert fresh_node.stop()
        assert running.wait() == -signal.SIGTERM
    assert not fresh_node.status().running


def test_folder_is_closed_to_other_accounts(fresh_node: EmbeddedNode) -> None:
    """Also one that was there before, such as one that an administrator made."""
    root = fresh_node.folders.root
    for _ in range(2):
        acquire(fresh_node.folders).close()
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        root.chmod(0o755)


def test_folder_of_another_account_that_lets_us_write_is_used(
    fresh_node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", denied)
    acquire(fresh_node.folders).close()


def test_stop_is_refused_while_the_folder_is_being_acquired(fresh_node: EmbeddedNode) -> None:
    with acquire(fresh_node.folders):
        assert fresh_node.status().running
        with pytest.raises(FolderInUse, match="just being taken"):
            fresh_node.stop()
    assert not fresh_node.status().running
