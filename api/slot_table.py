"""A table of counts in one small file, which all workers of a host map into their memory.

All workers see the same counts. A single worker takes no locks: they are four system calls a
request, and each of them may switch threads. The file survives a restart.
"""

import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from schemas.errors import DiskFull

_SLOT = struct.Struct("<QdIxxxxQ")  # a `Slot`
_SLOTS_PER_BUCKET = 8  # slots that a key may use; the one that was idle longest is evicted
_BUCKETS = 8192
_TABLE_BYTES = _BUCKETS * _SLOTS_PER_BUCKET * _SLOT.size
_SALT_BYTES = 16  # after the table
_CACHED_KEYS = 20_000  # keys with their offsets
_NO_LOCK = nullcontext()


class Slot(NamedTuple):
    """What the table holds of one key.

    Attributes:
        key: 0 where the slot is empty.
        tat_s: theoretical arrival time, seconds since the epoch.
        day: the day of the samples, since the epoch.
        samples: how many were counted on that day.
    """

    key: int
    tat_s: float = 0.0
    day: int = 0
    samples: int = 0


class SlotTable:
    """The table: a slot for each key that was in use lately.

    Args:
        path: the table's file; created if it does not exist.
        shared: whether other processes use the same table.

    Attributes:
        salt: what `key_of` needs; random, so that nobody can choose names that evict others' slots.

    Raises:
        DiskFull: the table does not fit on its disk.
    """

    def __init__(self, path: Path, *, shared: bool = True) -> None:
        self._shared = shared
        self._offsets: dict[int, int] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _reserve(path, self._file, _TABLE_BYTES + _SALT_BYTES)
            self._table = mmap.mmap(self._file, _TABLE_BYTES + _SALT_BYTES)
        except BaseException:
            os.close(self._file)
            raise
        self.salt = self._load_salt()

    def exclusive(self, key: int) -> AbstractContextManager[None]:
        """Lock the slots of a key against other workers."""
        return self._locked(_bucket_offset(key)) if self._shared else _NO_LOCK

    def lookup(self, key: int) -> tuple[int, Slot]:
        """The offset of a key's slot, and the slot."""
        cached = self._offsets.get(key)
        if cached is not None:  # still its slot, unless it was evicted since
            slot = self._read(cached)
            if slot.key == key:
                return cached, slot
        offset, slot = self._search(key, _bucket_offset(key))
        if len(self._offsets) >= _CACHED_KEYS:
            self._offsets.clear()
        self._offsets[key] = offset
        return offset, slot

    def write(self, offset: int, slot: Slot) -> None:
        """Write a slot, at the offset that `lookup` has said."""
        _SLOT.pack_into(self._table, offset, *slot)

    def close(self) -> None:
        """Close the file."""
        self._table.close()
        os.close(self._file)

    def _search(self, key: int, start: int) -> tuple[int, Slot]:
        offsets = range(start, start + _SLOTS_PER_BUCKET * _SLOT.size, _SLOT.size)
        slots = {offset: self._read(offset) for offset in offsets}
        for offset, slot in slots.items():
            if slot.key == key:
                return offset, slot
        offset = min(slots, key=lambda offset: (slots[offset].key != 0, slots[offset].tat_s))
        return offset, Slot(key)

    def _read(self, offset: int) -> Slot:
        return Slot._make(_SLOT.unpack_from(self._table, offset))

    @contextmanager
    def _locked(self, start: int) -> Generator[None]:
        size = _SLOTS_PER_BUCKET * _SLOT.size
        fcntl.lockf(self._file, fcntl.LOCK_EX, size, start)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, size, start)

    def _load_salt(self) -> bytes:
        """The file's salt; whoever comes first makes one."""
        with self._locked(_TABLE_BYTES):
            if not any(self._table[_TABLE_BYTES:]):
                self._table[_TABLE_BYTES:] = os.urandom(_SALT_BYTES)
            return self._table[_TABLE_BYTES:]


@lru_cache(_CACHED_KEYS)
def key_of(salt: bytes, kind: str, identity: object) -> int:
    """The hash of a user, an address or a name; never 0, which marks an empty slot."""
    name = f"{kind} {identity}".encode()
    return int.from_bytes(blake2b(name, digest_size=8, key=salt).digest(), "little") or 1


def _reserve(path: Path, file: int, size: int) -> None:
    """Give a file its size and its place on the disk.

    In memory that is mapped to a file without its place, the first write to a full disk ends the
    process (SIGBUS).

    Raises:
        DiskFull: there is no place.
    """
    try:
        os.ftruncate(file, size)
        os.posix_fallocate(file, 0, size)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"The disk of {path} is full: it has no {size >> 20} MiB for the counts of the rate "
            "limits. Free some space, or set paths.run to a folder on another disk."
        ) from problem


def _bucket_offset(key: int) -> int:
    """The offset of the first slot that a key may use."""
    return (key % _BUCKETS) * _SLOTS_PER_BUCKET * _SLOT.size
