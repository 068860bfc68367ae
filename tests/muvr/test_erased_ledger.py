"""Which users a restore erases again."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from muvr.erased_ledger import LEDGER, read_ledger, read_ledgers
from schemas.errors import BadBackup


def test_ledger_without_erased_users_is_an_empty_list(tmp_path: Path):
    (tmp_path / LEDGER).write_text("{}")
    assert read_ledger(tmp_path / LEDGER) == []


def test_ledgers_of_a_link_and_of_the_archive_behind_it_are_both_read(tmp_path: Path):
    """Whoever was erased since the backup was archived is only in the ledger beside the link."""
    backups, archive = tmp_path / "backups", tmp_path / "archive"
    for folder in (backups, archive / "20261121T031500Z"):
        folder.mkdir(parents=True)
    link = backups / "20261121T031500Z"
    link.symlink_to(archive / link.name)
    with pytest.raises(BadBackup, match=f"{backups / LEDGER} cannot be read"):
        read_ledgers(link)
    before, since = sorted((uuid4(), uuid4()))
    (archive / LEDGER).write_text(json.dumps({str(before): "2026-11-20"}))
    assert read_ledgers(link) == [before]
    (backups / LEDGER).write_text(json.dumps({str(since): "2026-11-28"}))
    assert read_ledgers(link) == [before, since]
    (archive / LEDGER).write_text("{")
    with pytest.raises(BadBackup, match="archive.*cannot be read"):
        read_ledgers(link)
    (archive / LEDGER).unlink()
    assert read_ledgers(link) == [since]
