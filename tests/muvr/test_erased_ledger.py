"""Which users a restore erases again."""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest

from muvr.context import CommandContext
from muvr.erased_ledger import (
    LEDGER,
    erased_since,
    read_ledger,
    read_ledgers,
    remember_erased,
)
from schemas.errors import BadBackup
from schemas.topics import ERASED, SETS
from store.changes import Changes
from tests.patched_os import os_with


def test_ledger_without_erased_users_is_an_empty_list(tmp_path: Path):
    (tmp_path / LEDGER).write_text("{}")
    assert read_ledger(tmp_path / LEDGER) == {}


def test_ledgers_of_a_link_and_of_the_archive_behind_it_are_both_read(tmp_path: Path):
    """Whoever was erased since the backup was archived is only in the ledger beside the link."""
    backups, archive = tmp_path / "backups", tmp_path / "archive"
    for folder in (backups, archive / "20261121T031500Z"):
        folder.mkdir(parents=True)
    link = backups / "20261121T031500Z"
    link.symlink_to(archive / link.name)
    with pytest.raises(BadBackup, match=f"{backups / LEDGER} cannot be read"):
        read_ledgers(link)
    before, since, both = uuid4(), uuid4(), uuid4()
    (archive / LEDGER).write_text(json.dumps({str(before): DAY_20, str(both): DAY_20}))
    assert [*read_ledgers(link)] == sorted([before, both])
    (backups / LEDGER).write_text(json.dumps({str(since): DAY_28, str(both): DAY_28}))
    times = {before: DAY_20, since: DAY_28, both: DAY_28}
    assert {user: at.isoformat() for user, at in read_ledgers(link).items()} == times
    (archive / LEDGER).write_text("{")
    with pytest.raises(BadBackup, match="archive.*cannot be read"):
        read_ledgers(link)
    (archive / LEDGER).unlink()
    assert [*read_ledgers(link)] == sorted([since, both])


NOW = datetime(2026, 11, 29, tzinfo=UTC)
DAY_20, DAY_28 = "2026-11-20T00:00:00+00:00", "2026-11-28T00:00:00+00:00"


def test_a_backup_holds_nobody_who_was_erased_long_before_it():
    """A ledger only grows: erasing everybody in it again would keep the service down for hours."""
    days_before = {uuid4(): days for days in (-1, 0, 1, 3, 400)}
    erased = {user: NOW - timedelta(days=days) for user, days in days_before.items()}
    found = erased_since(erased, NOW)
    assert sorted(days_before[user] for user in found) == [-1, 0, 1]
    assert found == sorted(found)


def test_an_erasure_that_has_not_ended_is_as_new_as_the_last_backup(tmp_path: Path):
    """The backups hold some of the user as long as it fails."""
    ended, failing = uuid4(), uuid4()
    later = NOW + timedelta(days=30)
    for at in (NOW, later):
        remember_erased(erased_are(ended, failing=[failing]), tmp_path, at)
    assert read_ledger(tmp_path / LEDGER) == {ended: NOW, failing: later}
    remember_erased(erased_are(ended, failing), tmp_path, later + timedelta(days=1))
    assert read_ledger(tmp_path / LEDGER) == {ended: NOW, failing: later}


def erased_are(*users: UUID, failing: Sequence[UUID] = ()) -> CommandContext:
    """A context whose database has heard of these erasures."""
    ended = {**dict.fromkeys(users, True), **dict.fromkeys(failing, False)}
    return cast(CommandContext, SimpleNamespace(run_async=lambda _: ended))


def test_ledger_is_on_the_disk_before_it_replaces_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """After a power failure it must not be empty: restores would bring erased users back."""
    steps: list[str] = []

    def synced(handle: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{handle}")).name
        steps.append("folder" if name == tmp_path.name else "draft")
        os.fsync(handle)

    def replaced(old: Path, new: Path) -> None:
        steps.append("replaced")
        os.replace(old, new)

    monkeypatch.setattr("store.synced.os", os_with(fsync=synced, replace=replaced))
    first, second = uuid4(), uuid4()
    assert remember_erased(erased_are(first), tmp_path, NOW) == 1
    assert steps == ["draft", "replaced", "folder"]
    assert remember_erased(erased_are(second), tmp_path, NOW) == 2
    assert set(read_ledger(tmp_path / LEDGER)) == {first, second}
    assert [path.name for path in tmp_path.iterdir()] == [LEDGER]


def test_ledger_lists_whoever_was_erased_while_announcements_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Backups may be months apart."""
    erased_at, other = {uuid4(): NOW, uuid4(): NOW - timedelta(days=80)}, uuid4()

    async def changed(_: Changes, since: datetime, until: datetime) -> dict[UUID, object]:
        erased = {user: {ERASED: at} for user, at in erased_at.items() if since <= at <= until}
        return {**erased, other: {SETS: NOW}}

    monkeypatch.setattr(Changes, "since", changed)
    context = SimpleNamespace(run_async=lambda work: asyncio.run(work(None)))
    assert remember_erased(cast(CommandContext, context), tmp_path, NOW) == 2
    assert set(read_ledger(tmp_path / LEDGER)) == erased_at.keys()


def test_damaged_ledger_is_not_replaced(tmp_path: Path):
    (tmp_path / LEDGER).write_text("{")
    with pytest.raises(BadBackup, match=f"{LEDGER} is damaged.*Put back a whole copy"):
        remember_erased(erased_are(), tmp_path, NOW)
    assert (tmp_path / LEDGER).read_text() == "{"
