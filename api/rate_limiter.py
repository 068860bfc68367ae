"""Rate limits and the daily sample quota, counted by all workers of a host in one `SlotTable`.

It makes no difference whether keep-alive holds a client on one worker or its requests are spread
over all. Each host counts for itself. A used-up quota survives a restart.

Rates follow the generic cell rate algorithm (GCRA): one number per key, its "theoretical arrival
time" (TAT, ATM Forum TM 4.0), at which the full rate is available again.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

from api.slot_table import Slot, SlotTable, key_of
from schemas.config import Limits
from schemas.errors import LimitExceeded

_DAY_S = 86400
_MINUTE_S = 60.0
_CACHED_ADDRESSES = 20_000
_MAX_ADDRESS_CHARS = 64  # an IPv6 address with its zone has fewer; a proxy may report any text


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

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The header fields of draft-ietf-httpapi-ratelimit-headers."""
        return [
            (b"ratelimit-policy", f'"default";q={self.limit};w=60'.encode()),
            (b"ratelimit", f'"default";r={self.remaining};t={self.reset_s}'.encode()),
        ]


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
        self._table = SlotTable(path, shared=shared)
        self._salt = self._table.salt

    def take_request(self, user_id: object) -> RateLimitStatus:
        """Count one request of a user.

        Raises:
            LimitExceeded: more than `limits.requests_per_minute`.
        """
        return self._take(
            key_of(self._salt, "user", user_id), self._limits.requests_per_minute, "requests"
        )

    def take_login(self, address: str) -> RateLimitStatus:
        """Count a registration, log-in, refresh or log-out from an address; of IPv6, its /64.

        Raises:
            LimitExceeded: more than `limits.logins_per_minute`.
        """
        subscriber = _subscriber(address[:_MAX_ADDRESS_CHARS])
        return self._take(
            key_of(self._salt, "address", subscriber), self._limits.logins_per_minute, "logins"
        )

    def take_password(self, name: str) -> None:
        """Count one password attempt for a name, from any address.

        It is counted before the password is checked, otherwise many concurrent attempts would pass;
        call `refund_password` if the password was right.

        Raises:
            LimitExceeded: more than `limits.passwords_per_minute`.
        """
        per_minute = self._limits.passwords_per_minute
        self._take(key_of(self._salt, "name", name), per_minute, "passwords")

    def refund_password(self, name: str) -> None:
        """Return the attempt of `take_password`: the password was right."""
        key = key_of(self._salt, "name", name)
        with self._table.exclusive(key):
            offset, slot = self._table.lookup(key)
            tat_s = slot.tat_s - _MINUTE_S / self._limits.passwords_per_minute
            self._table.write(offset, Slot(key, tat_s, slot.day, slot.samples))

    def take_samples(self, user_id: object, samples: int) -> None:
        """Count samples that a user sends.

        Raises:
            LimitExceeded: more than `limits.samples_per_day` since midnight, UTC.
        """
        now = self._clock()
        today = int(now // _DAY_S)
        key = key_of(self._salt, "user", user_id)
        with self._table.exclusive(key):
            offset, slot = self._table.lookup(key)
            used = (slot.samples if slot.day == today else 0) + samples
            if used > self._limits.samples_per_day:
                raise LimitExceeded(
                    f"{samples} more samples would exceed the {self._limits.samples_per_day} of a "
                    "day; the day ends at midnight UTC.",
                    limit="samples",
                    retry_after_s=_ceil_s((today + 1) * _DAY_S - now) + 1,
                )
            self._table.write(offset, Slot(key, slot.tat_s, today, used))

    def refund_samples(self, user_id: object, samples: int) -> None:
        """Return what `take_samples` counted: the samples could not be stored."""
        key = key_of(self._salt, "user", user_id)
        with self._table.exclusive(key):
            offset, slot = self._table.lookup(key)
            used = max(slot.samples - samples, 0)
            self._table.write(offset, Slot(key, slot.tat_s, slot.day, used))

    def close(self) -> None:
        """Close the table."""
        self._table.close()

    def _take(self, key: int, per_minute: int, limit: str) -> RateLimitStatus:
        now = self._clock()
        interval_s = _MINUTE_S / per_minute
        with self._table.exclusive(key):
            offset, slot = self._table.lookup(key)
            tat_s = slot.tat_s
            if tat_s > now + _MINUTE_S:  # written while the clock was ahead
                tat_s = now + _MINUTE_S
                self._table.write(offset, Slot(key, tat_s, slot.day, slot.samples))
            tat_s = max(tat_s, now) + interval_s
            if tat_s - now > _MINUTE_S + 1e-9:
                raise LimitExceeded(
                    f"More than {per_minute} {limit} a minute.",
                    limit=limit,
                    retry_after_s=max(1, _ceil_s(tat_s - now - _MINUTE_S)),
                )
            self._table.write(offset, Slot(key, tat_s, slot.day, slot.samples))
        remaining = int((_MINUTE_S - (tat_s - now)) / interval_s + 1e-9)
        return RateLimitStatus(per_minute, remaining, _ceil_s(tat_s - now))


@lru_cache(_CACHED_ADDRESSES)
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
