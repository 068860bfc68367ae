"""Rate limits and the daily sample quota, counted by all workers of a host in one small file.

The table lies in shared memory. Whichever worker serves a request finds the same count, so a client
that keep-alive holds on one worker gets no more and no less than one that is spread over all. A
worker that is alone takes no locks: they are four system calls a request, and at each of them the
interpreter may turn to another thread. Each host counts for itself. The file outlives a restart,
and so does a used-up quota.

Rates follow the generic cell rate algorithm: one number per key, the time at which its allowance
would be whole again ("theoretical arrival time", ATM Forum TM 4.0).
"""

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
from typing import TYPE_CHECKING

from schemas.config import Limits
from schemas.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Generator

_SLOT = struct.Struct("<QdIxxxxQ")  # key, time at which the rate is whole again, day, samples
_WAYS = 8  # slots that a key may lie in; the one that was idle longest gives way
_BUCKETS = 8192
_TABLE_BYTES = _BUCKETS * _WAYS * _SLOT.size
_SALT_BYTES = 16  # behind the table
_DAY_S = 86400
_MINUTE_S = 60.0
_REMEMBERED = 20_000  # keys and their places
_NOBODY_ELSE = nullcontext()


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a limit after a request.

    Attributes:
        limit: requests per minute.
        remaining: how many more would pass at once.
        whole_in_s: seconds until all of it is there again.
    """

    limit: int
    remaining: int
    whole_in_s: int

    def headers(self, name: str) -> list[tuple[bytes, bytes]]:
        """The header fields of draft-ietf-httpapi-ratelimit-headers."""
        return [
            (b"ratelimit-policy", f'"{name}";q={self.limit};w=60'.encode()),
            (b"ratelimit", f'"{name}";r={self.remaining};t={self.whole_in_s}'.encode()),
        ]


class Allowance:
    """Counts what each user, each address that logs in and each name that is tried has used.

    Args:
        limits: what may be used.
        path: the table; made when it is not there.
        clock: seconds since the epoch.
        shared: whether other processes count in the same table.
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
        self._places: dict[int, int] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, _TABLE_BYTES + _SALT_BYTES)
        self._table = mmap.mmap(self._file, _TABLE_BYTES + _SALT_BYTES)
        self._salt = self._salted()

    def take_request(self, who: object) -> Left:
        """One request of a user.

        Raises:
            LimitExceeded: more than `limits.requests_per_minute`.
        """
        return self._take(
            _key(self._salt, "user", who), self._limits.requests_per_minute, "requests"
        )

    def take_login(self, address: str) -> Left:
        """One registration, password or refresh from an address, an IPv6 one with its whole /64.

        Raises:
            LimitExceeded: more than `limits.logins_per_minute`.
        """
        line = _line(address)
        return self._take(
            _key(self._salt, "address", line), self._limits.logins_per_minute, "logins"
        )

    def take_password(self, name: str) -> None:
        """One password that is tried for a name, from wherever.

        It is counted before it is checked, or many that are tried at once would all pass; call
        `give_password_back` where it was right.

        Raises:
            LimitExceeded: more than `limits.passwords_per_minute`.
        """
        per_minute = self._limits.passwords_per_minute
        self._take(_key(self._salt, "name", name), per_minute, "passwords")

    def give_password_back(self, name: str) -> None:
        """The password that was taken for a name was right."""
        key = _key(self._salt, "name", name)
        with self._alone(key):
            at, (_, whole_at, day, used) = self._find(key)
            whole_at -= _MINUTE_S / self._limits.passwords_per_minute
            _SLOT.pack_into(self._table, at, key, whole_at, day, used)

    def take_samples(self, who: object, samples: int) -> None:
        """Samples that a user sends.

        Raises:
            LimitExceeded: more than `limits.samples_per_day` since midnight, UTC.
        """
        now = self._clock()
        today = int(now // _DAY_S)
        key = _key(self._salt, "user", who)
        with self._alone(key):
            at, (key, whole_at, day, used) = self._find(key)
            used = (used if day == today else 0) + samples
            if used > self._limits.samples_per_day:
                raise LimitExceeded(
                    f"{samples} samples more than the {self._limits.samples_per_day} of a day; "
                    "the day ends at midnight UTC.",
                    limit="samples",
                    retry_after_s=_whole((today + 1) * _DAY_S - now) + 1,
                )
            _SLOT.pack_into(self._table, at, key, whole_at, today, used)

    def close(self) -> None:
        """Let go of the table."""
        self._table.close()
        os.close(self._file)

    def _take(self, key: int, per_minute: int, limit: str) -> Left:
        now = self._clock()
        each_s = _MINUTE_S / per_minute
        with self._alone(key):
            at, (_, whole_at, day, used) = self._find(key)
            if whole_at > now + _MINUTE_S:  # written by a clock that ran ahead
                whole_at = now + _MINUTE_S
                _SLOT.pack_into(self._table, at, key, whole_at, day, used)
            whole_at = max(whole_at, now) + each_s
            if whole_at - now > _MINUTE_S + 1e-9:
                raise LimitExceeded(
                    f"More than {per_minute} {limit} a minute.",
                    limit=limit,
                    retry_after_s=max(1, _whole(whole_at - now - _MINUTE_S)),
                )
            _SLOT.pack_into(self._table, at, key, whole_at, day, used)
        remaining = int((_MINUTE_S - (whole_at - now)) / each_s + 1e-9)
        return Left(per_minute, remaining, _whole(whole_at - now))

    def _alone(self, key: int) -> AbstractContextManager[None]:
        """Keep other workers away from the slots of a key."""
        return self._locked(_start(key)) if self._shared else _NOBODY_ELSE

    @contextmanager
    def _locked(self, start: int) -> "Generator[None]":
        size = _WAYS * _SLOT.size
        fcntl.lockf(self._file, fcntl.LOCK_EX, size, start)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, size, start)

    def _salted(self) -> bytes:
        """The salt of keys: random, so that nobody can choose whose slots to crowd."""
        with self._locked(_TABLE_BYTES):
            if not any(self._table[_TABLE_BYTES:]):
                self._table[_TABLE_BYTES:] = os.urandom(_SALT_BYTES)
            return self._table[_TABLE_BYTES:]

    def _find(self, key: int) -> tuple[int, tuple[int, float, int, int]]:
        """The place of a key, and what stands there."""
        last = self._places.get(key)
        if last is not None:  # where it was, unless it gave way to another since
            slot = _SLOT.unpack_from(self._table, last)
            if slot[0] == key:
                return last, slot
        at, slot = self._search(key, _start(key))
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        self._places[key] = at
        return at, slot

    def _search(self, key: int, start: int) -> tuple[int, tuple[int, float, int, int]]:
        places = range(start, start + _WAYS * _SLOT.size, _SLOT.size)
        slots = [(at, _SLOT.unpack_from(self._table, at)) for at in places]
        for at, slot in slots:
            if slot[0] == key:
                return at, slot
        at, _ = min(slots, key=lambda found: (found[1][0] != 0, found[1][1]))
        return at, (key, 0.0, 0, 0)


def _start(key: int) -> int:
    """The number of the first slot that a key may lie in."""
    return (key % _BUCKETS) * _WAYS * _SLOT.size


@lru_cache(_REMEMBERED)
def _key(salt: bytes, kind: str, who: object) -> int:
    """The hash that stands for a user or an address; never 0, which marks an empty slot."""
    name = f"{kind} {who}".encode()
    return int.from_bytes(blake2b(name, digest_size=8, key=salt).digest(), "little") or 1


@lru_cache(_REMEMBERED)
def _line(address: str) -> str:
    """The addresses that one subscriber has: of IPv4 one, of IPv6 the 2**64 of a network.

    >>> _line("2001:db8::1"), _line("::ffff:192.0.2.1"), _line("192.0.2.1"), _line("unknown")
    ('2001:db8::/64', '192.0.2.1', '192.0.2.1', 'unknown')
    """
    try:
        whole = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(whole, IPv4Address):
        return address
    if whole.ipv4_mapped is not None:
        return str(whole.ipv4_mapped)
    return str(ip_network((whole.packed[:8] + bytes(8), 64)))


def _whole(seconds: float) -> int:
    """Seconds rounded up to whole ones, ignoring what rounding errors of sums add."""
    return math.ceil(seconds - 1e-6)
