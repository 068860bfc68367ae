"""`muvr doctor` measures every disk that Muvr writes to, and counts the files that it may open."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from muvr import disks
from muvr.context import CommandContext
from muvr.disks import disks_of
from muvr.doctor import _disk, _open_files
from muvr.terminal import Terminal
from schemas.config import Api, Config, Paths, Spark

FREE_GB = {"data": 100.0, "mart": 1.2, "scratch": 0.3, "run": 0.2}


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandContext:
    """Folders on four disks; what is on the disk of `run` is small."""
    for name in FREE_GB:
        (tmp_path / name).mkdir()
    monkeypatch.delenv("SPARK_LOCAL_DIRS", raising=False)
    real = Path.stat

    def of_disk(path: Path) -> str:
        return next(name for name in FREE_GB if name in path.relative_to(tmp_path).parts[:1])

    def stat(path: Path, **options: bool) -> object:
        if not path.is_relative_to(tmp_path) or path == tmp_path:
            return real(path, **options)
        return SimpleNamespace(st_dev=of_disk(path), st_mode=real(path, **options).st_mode)

    def usage(path: Path) -> object:
        return SimpleNamespace(free=FREE_GB[of_disk(path)] * 1e9)

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(disks, "shutil", SimpleNamespace(disk_usage=usage))
    config = Config(
        paths=Paths(
            data=tmp_path / "data" / "node",  # not made yet
            run=tmp_path / "run",
            secrets=tmp_path / "run" / "secrets",
            mart=tmp_path / "mart",
            reports=tmp_path / "data",
        ),
        spark=Spark(options={"spark.local.dir": str(tmp_path / "scratch")}),
    )
    return CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))


def test_every_disk_that_is_written_to_is_measured(deployment: CommandContext) -> None:
    finding = _disk(deployment)
    assert not finding.ok
    assert finding.says == (
        "100.0 GB free for paths.data, paths.reports; 0.2 GB free for paths.run, paths.secrets; "
        "1.2 GB free for paths.mart; 0.3 GB free for Spark's scratch (spark.local.dir)"
    )
    assert finding.next_step == "free space, or move paths.mart, Spark's scratch (spark.local.dir)"


def test_folders_on_one_disk_are_measured_once(tmp_path: Path) -> None:
    below = {name: tmp_path / name for name in ("data", "run", "secrets", "mart", "reports")}
    options = {"spark.local.dir": f"{tmp_path / 'a'}, {tmp_path / 'b'}"}
    [disk] = disks_of(Config(paths=Paths(**below), spark=Spark(options=options)))
    assert len(disk.folders) == 7
    assert disk.free_gb == pytest.approx(shutil.disk_usage(tmp_path).free / 1e9, abs=1)


def test_too_few_open_files_for_the_connections_are_a_finding(
    deployment: CommandContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muvr.doctor.most_files", lambda: 1024)
    finding = _open_files(deployment)
    assert (finding.ok, finding.says) == (False, "the service may open 1,024 files")
    assert "api.connections to 768" in finding.next_step
    few = deployment.config.model_copy(update={"api": Api(connections=500)})
    assert _open_files(CommandContext(few, deployment.conf_path, Terminal())).ok
