"""The disks that Muvr writes to, and how much is free on each."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.config import Config

LARGE_GB = 2.0  # for what grows with users: samples, the mart, and nodes of `make bench`
SCRATCH_GB = 0.5  # for Spark's scratch, which a machine that only serves never uses
SMALL_GB = 0.1  # for locks, counts, logs that are rotated, and keys
SCRATCH = "Spark's scratch (spark.local.dir)"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk, with the folders of ours that are on it.

    Attributes:
        free_gb: what this account may still write.
        folders: the settings that name folders on it, and the folders.
        short: the settings of those for which too little is free.
    """

    free_gb: float
    folders: Mapping[str, Path]
    short: tuple[str, ...]


def disks_of(config: Config) -> list[Disk]:
    """The disks of all folders that Muvr writes to, each once.

    Raises:
        OSError: one of them cannot be looked at.
    """
    on_device: dict[int, dict[str, Path]] = {}
    for name, folder in _written(config).items():
        on_device.setdefault(_existing(folder).stat().st_dev, {})[name] = folder
    return [_measured(folders) for folders in on_device.values()]


def _measured(folders: Mapping[str, Path]) -> Disk:
    free_gb = shutil.disk_usage(_existing(next(iter(folders.values())))).free / 1e9
    short = tuple(name for name in folders if free_gb < _needed_gb(name))
    return Disk(free_gb, folders, short)


def _needed_gb(setting: str) -> float:
    if setting in ("paths.run", "paths.secrets"):
        return SMALL_GB
    return SCRATCH_GB if setting.startswith(SCRATCH) else LARGE_GB


def _written(config: Config) -> dict[str, Path]:
    """The folders by the settings that name them; those of jars and recordings are read."""
    paths = config.paths
    node = {"paths.data": paths.data} if config.cassandra.own_node else {}
    ours = {"run": paths.run, "secrets": paths.secrets, "mart": paths.mart}
    named = {f"paths.{name}": path for name, path in {**ours, "reports": paths.reports}.items()}
    scratch = _scratch(config)
    several = {f"{SCRATCH} {n}": folder for n, folder in enumerate(scratch, 1)}
    return {**node, **named, **({SCRATCH: scratch[0]} if len(scratch) == 1 else several)}


def _scratch(config: Config) -> list[Path]:
    """Where Spark's driver, and local executors, put what does not fit into memory."""
    option = config.spark.options.get("spark.local.dir", "/tmp")  # noqa: S108 (Spark's default)
    named = os.environ.get("SPARK_LOCAL_DIRS") or option
    return [Path(folder.strip()) for folder in named.split(",")]


def _existing(folder: Path) -> Path:
    """A folder, or the one in which it will be made."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
