"""A secret is on the disk with its name before anybody counts on it."""

import os
from pathlib import Path

import pytest

from store.secret_file import write_new
from tests.patched_os import os_with


@pytest.mark.parametrize("faster", [False, True], ids=["alone", "another process was faster"])
def test_the_name_of_a_secret_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faster: bool
) -> None:
    path = tmp_path / "key"
    held: list[list[str]] = []

    def synced(handle: int) -> None:
        held.append(sorted(one.name for one in tmp_path.iterdir()))
        assert os.readlink(f"/proc/self/fd/{handle}") == str(tmp_path)
        os.fsync(handle)

    def linked(draft: Path, name: Path) -> None:
        if faster:
            name.write_bytes(b"theirs")
        os.link(draft, name)

    monkeypatch.setattr("store.secret_file.os", os_with(link=linked))
    monkeypatch.setattr("store.synced.os", os_with(fsync=synced))
    write_new(path, b"ours")
    assert held == [["key"]], "synced once, after the link, and without the draft"
    assert path.read_bytes() == (b"theirs" if faster else b"ours")
