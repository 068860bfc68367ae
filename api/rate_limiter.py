"""Rate limits and the daily sample quota, counted by all workers of a host in one small file.

The table is in shared memory, so all workers see the same counts, and it makes no difference
whether keep-alive holds a client on one worker or its requests are spread over all. A single worker
takes no locks: they are four system calls a request, and each of them may switch threads. Each host
counts for itself. The file survives a restart, and so does a used-up quota.

Rates follow the generic cell rate algorithm (GCRA): one number per key, its "theoretical arrival
time" (TAT, ATM Forum TM 4.0), at which the full rate is available again.
"""

import errno
import fcntl
import math
import mmap
import os
import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from schemas.config import Limits
from schemas.errors import DiskFull, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Generator

_SLOT = struct.Struct("<QdIxxxxQ")  # a `_Slot`
_SLOTS_PER_BUCKET = 8  # slots that a key may use; the one that was idle longest is evicted
_BUCKETS = 8192
_TABLE_BYTES = _BUCKETS * _SLOTS_PER_BUCKET * _SLOT.size
_SALT_BYTES = 16  # after the table
_DAY_S = 86400
_MINUTE_S = 60.0
_CACHED_KEYS = 20_000  # keys with their offsets
_MAX_ADDRESS_CHARS = 64  # an IPv6 address with its zone has fewer; a proxy may report any text
_NO_LOCK = nullcontext()


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """What remains of a rate limit after a request.

    Attributes:
        limit: requests per minute.
        remaining: how many more would be accepted now.
        reset_s: seconds until the full limit is available again.
    """

    limit: int
    remaining: int
    reset_s: int

    def headers(self, name: str) -> list[tuple[bytes, bytes]]:
        """The header fields of draft-ietf-httpapi-ratelimit-headers."""
        return [
            (b"ratelimit-policy", f'"{name}";q={self.limit};w=60'.encode()),
            (b"ratelimit", f'"{name}";r={self.remaining};t={self.reset_s}'.encode()),
        ]


class _Slot(NamedTuple):
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


class RateLimiter:
    """Limits requests and samples per user, logins per address and password attempts per name.

    Args:
        limits: the limits.
        path: the table's file; created if it does not exist.
        clock: seconds since the epoch.
        shared: whether other processes use the same table.

    Raises:
        DiskFull: the table does not fit on its disk.
    """

    def __init__(
        self,
        limits: Limits,
        path: Path,
        clock: Callable[[], float] = time.time,
        *,
        shared: bool = True,
    ) -> None:
        self._limits = limits
        self._clock = clock
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
        self._salt = self._load_salt()

    def take_request(self, user_id: object) -> RateLimitStatus:
        """Count one request of a user.

        Raises:
            LimitExceeded: more than `limits.requests_per_minute`.
        """
        return self._take(
            _key(self._salt, "user", user_id), self._limits.requests_per_minute, "requests"
        )

    def take_login(self, address: str) -> RateLimitStatus:
        """Count a registration, log-in, refresh or log-out from an address; of IPv6, its /64.

        Raises:
            LimitExceeded: more than `limits.logins_per_minute`.
        """
        subscriber = _subscriber(address[:_MAX_ADDRESS_CHARS])
        return self._take(
            _key(self._salt, "address", subscriber), self._limits.logins_per_minute, "logins"
        )

    def take_password(self, name: str) -> None:
        """Count one password attempt for a name, from any address.

        It is counted before the password is checked, otherwise many concurrent attempts would pass;
        call `refund_password` if the password was right.

        Raises:
            LimitExceeded: more than `limits.passwords_per_minute`.
        """
        per_minute = self._limits.passwords_per_minute
        self._take(_key(self._salt, "name", name), per_minute, "passwords")

    def refund_password(self, name: str) -> None:
        """Return the attempt of `take_password`: the password was right."""
        key = _key(self._salt, "name", name)
        with self._exclusive(key):
            offset, slot = self._lookup(key)
            tat_s = slot.tat_s - _MINUTE_S / self._limits.passwords_per_minute
            self._write(offset, _Slot(key, tat_s, slot.day, slot.samples))

    def take_samples(self, user_id: object, samples: int) -> None:
        """Count samples that a user sends.

        Raises:
            LimitExceeded: more than `limits.samples_per_day` since midnight, UTC.
        """
        now = self._clock()
        today = int(now // _DAY_S)
        key = _key(self._salt, "user", user_id)
        with self._exclusive(key):
            offset, slot = self._lookup(key)
            used = (slot.samples if slot.day == today else 0) + samples
            if used > self._limits.samples_per_day:
                raise LimitExceeded(
                    f"{samples} more samples would exceed the {self._limits.samples_per_day} of a "
                    "day; the day ends at midnight UTC.",
                    limit="samples",
                    retry_after_s=_ceil_s((today + 1) * _DAY_S - now) + 1,
                )
            self._write(offset, _Slot(key, slot.tat_s, today, used))

    def refund_samples(self, user_id: object, samples: int) -> None:
        """Return what `take_samples` counted: the samples could not be stored."""
        key = _key(self._salt, "user", user_id)
        with self._exclusive(key):
            offset, slot = self._lookup(key)
            self._write(offset, _Slot(key, slot.tat_s, slot.day, max(slot.samples - samples, 0)))

    def close(self) -> None:
        """Close the table."""
        self._table.close()
        os.close(self._file)

    def _take(self, key: int, per_minute: int, limit: str) -> RateLimitStatus:
        now = self._clock()
        interval_s = _MINUTE_S / per_minute
        with self._exclusive(key):
            offset, slot = self._lookup(key)
            tat_s = slot.tat_s
            if tat_s > now + _MINUTE_S:  # written while the clock was ahead
                tat_s = now + _MINUTE_S
                self._write(offset, _Slot(key, tat_s, slot.day, slot.samples))
            tat_s = max(tat_s, now) + interval_s
            if tat_s - now > _MINUTE_S + 1e-9:
                raise LimitExceeded(
                    f"More than {per_minute} {limit} a minute.",
                    limit=limit,
                    retry_after_s=max(1, _ceil_s(tat_s - now - _MINUTE_S)),
                )
            self._write(offset, _Slot(key, tat_s, slot.day, slot.samples))
        remaining = int((_MINUTE_S - (tat_s - now)) / interval_s + 1e-9)
        return RateLimitStatus(per_minute, remaining, _ceil_s(tat_s - now))

    def _exclusive(self, key: int) -> AbstractContextManager[None]:
        """Lock the slots of a key against other workers."""
        return self._locked(_bucket_offset(key)) if self._shared else _NO_LOCK

    @contextmanager
    def _locked(self, start: int) -> "Generator[None]":
        size = _SLOTS_PER_BUCKET * _SLOT.size
        fcntl.lockf(self._file, fcntl.LOCK_EX, size, start)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, size, start)

    def _load_salt(self) -> bytes:
        """The salt of keys: random, so that nobody can choose names that evict others' slots."""
        with self._locked(_TABLE_BYTES):
            if not any(self._table[_TABLE_BYTES:]):
                self._table[_TABLE_BYTES:] = os.urandom(_SALT_BYTES)
            return self._table[_TABLE_BYTES:]

    def _read(self, offset: int) -> _Slot:
        return _Slot._make(_SLOT.unpack_from(self._table, offset))

    def _write(self, offset: int, slot: _Slot) -> None:
        _SLOT.pack_into(self._table, offset, *slot)

    def _lookup(self, key: int) -> tuple[int, _Slot]:
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

    def _search(self, key: int, start: int) -> tuple[int, _Slot]:
        offsets = range(start, start + _SLOTS_PER_BUCKET * _SLOT.size, _SLOT.size)
        slots = {offset: self._read(offset) for offset in offsets}
        for offset, slot in slots.items():
            if slot.key == key:
                return offset, slot
        offset = min(slots, key=lambda offset: (slots[offset].key != 0, slots[offset].tat_s))
        return offset, _Slot(key)


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


@lru_cache(_CACHED_KEYS)
def _key(salt: bytes, kind: str, identity: object) -> int:
    """The hash of a user, an address or a name; never 0, which marks an empty slot."""
    name = f"{kind} {identity}".encode()
    return int.from_bytes(blake2b(name, digest_size=8, key=salt).digest(), "little") or 1


@lru_cache(_CACHED_KEYS)
def _subscriber(address: str) -> str:
    """The addresses of one subscriber: of IPv4 a single one, of IPv6 a /64 network.

    >>> [_subscriber(address) for address in ("2001:db8::1", "::ffff:192.0.2.1", "192.0.2.1", "?")]
    ['2001:db8::/64', '192.0.2.1', '192.0.2.1', '?']
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed.packed[:8] + bytes(8), 64)))


def _ceil_s(seconds: float) -> int:
    """Seconds rounded up to whole ones, ignoring floating-point errors."""
    return math.ceil(seconds - 1e-6)
