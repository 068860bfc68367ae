"""The file layout of an embedded node, under one data folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """The files and folders of a node, all under its data folder."""

    root: Path

    @property
    def conf(self) -> Path:
        """Generated files, written again on every start."""
        return self.root / "conf"

    @property
    def tmp(self) -> Path:
        """Native libraries unpacked by the running node; emptied on every start."""
        return self.root / "tmp"

    @property
    def log(self) -> Path:
        """Cassandra's own log of this run, rolled at 20 MB."""
        return self.root / "logs" / "cassandra.log"

    @property
    def previous_log(self) -> Path:
        """The log of the run before."""
        return self.root / "logs" / "previous.log"

    @property
    def console(self) -> Path:
        """Output of the Java virtual machine itself: bad options, no memory, a crash."""
        return self.root / "logs" / "console.log"

    @property
    def record(self) -> Path:
        """Process id, port and version of the running node."""
        return self.root / "node.json"

    @property
    def unfinished_restore(self) -> Path:
        """There from before the first file is put back until every erased user is announced."""
        return self.root / "restore-unfinished"

    @property
    def lock(self) -> Path:
        """Held by the running node as long as it lives."""
        return self.root / "owner.lock"
