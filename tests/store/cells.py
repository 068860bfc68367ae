"""In-memory tables of cells with write timestamps like Cassandra's, for `tests.store.memory`."""

from collections.abc import Iterator, Mapping
from typing import Any

CellKey = tuple[Any, ...]


class Cells:
    """A table: rows of cells, each with the timestamp of its write; deletions by key prefix."""

    def __init__(self) -> None:
        self._rows: dict[CellKey, dict[Any, tuple[int, Any]]] = {}
        self._tombstones: dict[CellKey, int] = {}

    def write(self, key: CellKey, values: Mapping[Any, Any], at: int) -> None:
        """Write cells; an older write changes nothing, and at a tie the greater value stays."""
        row = self._rows.setdefault(key, {})
        for column, value in values.items():
            old = row.get(column)
            if old is None or at > old[0] or (at == old[0] and _wins(value, old[1])):
                row[column] = (at, value)

    def delete(self, prefix: CellKey, at: int) -> None:
        """Delete everything under a prefix that was written at or before `at`."""
        self._tombstones[prefix] = max(at, self._tombstones.get(prefix, 0))

    def purge(self) -> None:
        """Forget deletions and what they deleted, as a compaction does after `gc_grace_seconds`."""
        live = dict(self.read(()))
        self._rows = {key: {c: self._rows[key][c] for c in row} for key, row in live.items()}
        self._tombstones.clear()

    def read(self, prefix: CellKey) -> Iterator[tuple[CellKey, dict[Any, Any]]]:
        """Live rows under a prefix, ordered by key."""
        for key in sorted((k for k in self._rows if k[: len(prefix)] == prefix), key=repr):
            gone = max((self._tombstones.get(key[:n], 0) for n in range(len(key) + 1)), default=0)
            row = {c: value for c, (at, value) in self._rows[key].items() if at > gone}
            if row:
                yield key, row

    def written(self, key: CellKey, column: Any) -> int:
        """The time of a cell's write."""
        return self._rows[key][column][0]


def _wins(value: Any, old: Any) -> bool:
    """Which of two values wins a tie. Cassandra compares bytes; any fixed order will do here."""
    return value != old and repr(value) > repr(old)
