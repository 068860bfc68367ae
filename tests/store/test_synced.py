"""Files that are replaced as a whole."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from store.synced import replace_synced


@pytest.fixture(autouse=True)
def _umask() -> Generator[None]:
    former = os.umask(0o022)
    yield
    os.umask(former)


@pytest.mark.parametrize(
    ("asked", "mode"), [({}, 0o600), ({"mode": 0o666}, 0o644), ({"mode": 0o660}, 0o640)]
)
def test_a_replaced_file_is_read_by_those_who_may(
    tmp_path: Path, asked: dict[str, int], mode: int
) -> None:
    path = tmp_path / "kept.json"
    for content in (b"former", b"newer"):
        replace_synced(path, content, **asked)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_leaves_the_former_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.json"
    replace_synced(path, b"former")

    def full(_path: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("store.synced.sync", full)
    with pytest.raises(OSError, match="no space left"):
        replace_synced(path, b"newer")
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]
