"""The table of counts has its place on the disk, or is refused."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from api.slot_table import Slot, SlotTable
from schemas.errors import DiskFull
from tests.patched_os import os_with


def test_the_table_has_its_place_on_the_disk(tmp_path: Path):
    """Else the first write to it on a full disk would end the process."""
    path = tmp_path / "table"
    SlotTable(path).close()
    assert path.stat().st_blocks * 512 >= path.stat().st_size


def test_key_whose_slot_another_one_took_begins_anew(tmp_path: Path):
    """It would else go on counting in the slot of somebody else, and so would they."""
    table = SlotTable(tmp_path / "table")
    of_one_bucket = [1 + n * 8192 for n in range(9)]  # it has eight slots
    for key in of_one_bucket:
        offset, slot = table.lookup(key)
        assert slot == Slot(key)
        table.write(offset, slot._replace(tat_s=float(key)))
    first, last = of_one_bucket[0], of_one_bucket[-1]
    assert table.lookup(first)[1] == Slot(first)
    assert table.lookup(last)[1].tat_s == last
    table.close()


def open_below(folder: Path) -> list[str]:
    """The files of a folder that this process has open, also those that were removed."""
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile, as the listing itself
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [path for path in found if path.startswith(str(folder))]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_table_without_a_place_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    def full(*_: object) -> None:
        raise OSError(number, "no space")

    monkeypatch.setattr("api.slot_table.os", os_with(posix_fallocate=full))
    with pytest.raises(DiskFull, match=r"table is full.*set paths\.run"):
        SlotTable(tmp_path / "table")
    assert open_below(tmp_path) == []
