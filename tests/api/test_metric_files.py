"""Files of metrics have their place on the disk; without it a worker counts on in memory."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api import metric_files
from api.metric_files import ReservedDict
from tests.patched_os import os_with

ONE_OF_TWO_WORKERS = """
from api.metrics import Metrics

metrics = Metrics()
for n in range(400):  # more than a first file holds
    metrics.count_request(f"/v1/route-{n}", "GET", 200, 0.01)
"""


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The error of the disk, one at a time; none while the list is empty."""
    errors = [errno.ENOSPC]

    def reserve(file: int, offset: int, size: int) -> None:
        for number in errors:
            raise OSError(number, os.strerror(number))
        os.posix_fallocate(file, offset, size)

    monkeypatch.setattr(metric_files, "os", os_with(posix_fallocate=reserve))
    monkeypatch.setattr(metric_files, "AGAIN_AFTER_S", 0.0)
    return errors


def in_file(path: Path) -> dict[str, float]:
    return {key: value for key, value, *_ in ReservedDict.read_all_values_from_file(path)}


def test_the_files_of_a_worker_have_their_place_on_the_disk(tmp_path: Path):
    """Else the first series on a new page would end the process where the disk is full."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", ONE_OF_TWO_WORKERS], env=environment, check=True)
    sizes = {path.name.partition("_")[0]: path.stat() for path in tmp_path.iterdir()}
    assert sizes.keys() == {"counter", "gauge", "histogram"}
    assert sizes["histogram"].st_size > 1 << 16
    for size in sizes.values():
        assert size.st_blocks * 512 >= size.st_size


def test_without_place_a_new_series_is_counted_in_memory_until_there_is_some(
    tmp_path: Path, full_disk: list[int], caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "counter_1.db"
    values = ReservedDict(str(path))
    for count in (1.0, 2.0):
        assert values.read_value("requests") == (0.0, 0.0)
        values.write_value("requests", count, 0.0)
    assert list(tmp_path.iterdir()) == []  # an empty one would break /metrics
    [said] = caplog.messages
    assert f"No place for metrics in {path} (No space left on device)" in said
    full_disk.clear()
    values.write_value("requests", 3.0, 0.0)
    assert in_file(path) == {"requests": 3.0}
    values.close()


def test_a_file_that_cannot_grow_keeps_its_series(tmp_path: Path, full_disk: list[int]):
    full_disk.clear()
    path = tmp_path / "counter_1.db"
    values = ReservedDict(str(path))
    values.write_value("requests", 1.0, 0.0)
    full_disk.append(errno.EDQUOT)
    names = [f"{n:0200}" for n in range(400)]  # 90 KB
    for name in names:
        values.write_value(name, 5.0, 0.0)
    values.write_value("requests", 2.0, 0.0)
    held = in_file(path)
    assert held["requests"] == 2.0
    assert 200 < len(held) < len(names)
    assert path.stat().st_size == metric_files.FIRST_BYTES
    full_disk.clear()
    for name in names:
        values.write_value(name, 6.0, 0.0)
    assert in_file(path) == {"requests": 2.0, **dict.fromkeys(names, 6.0)}
    assert path.stat().st_blocks * 512 >= path.stat().st_size
    values.close()


def test_counts_of_an_ended_process_with_the_same_id_go_on(tmp_path: Path):
    path = tmp_path / "counter_1.db"
    for count in (1.0, 2.0):
        values = ReservedDict(str(path))
        assert values.read_value("requests")[0] == count - 1
        values.write_value("requests", count, 0.0)
        values.close()
