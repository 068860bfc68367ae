"""The server's clock, and times as whole numbers, without floating point."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_S = 1_000_000_000
Clock = Callable[[], datetime]
SpanNs = tuple[int, int]
"""A span of time: its first and last nanosecond since the epoch."""
AnyTime = TypeVar("AnyTime", bound=datetime | None)
EARLIEST, LATEST = EPOCH, datetime(2200, 1, 1, tzinfo=UTC)
"""The range of times that a client may send: from an unset clock to well before `datetime.max`."""
BEGINS_WITH_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
AHEAD_AT_MOST = timedelta(days=1)
"""How much later than the server's clock a set may be: the device's clock may be ahead."""
_US = timedelta(microseconds=1)


def server_time() -> datetime:
    """Now, in UTC. Services and jobs use the server's clock, never a client's."""
    return datetime.now(UTC)


def clock_from(now: datetime) -> Clock:
    """A clock that shows `now` at this moment, and goes on."""
    began_s = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began_s)


def us_of(at: datetime) -> int:
    """Microseconds since the epoch; a time without a zone is UTC, as Cassandra returns it.

    >>> us_of(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    return (aware(at) - EPOCH) // _US


def time_at(us: int) -> datetime:
    """The time so many microseconds after the epoch."""
    return EPOCH + timedelta(microseconds=us)


def at_ms_of_ns(ns: int) -> datetime:
    """The time so many nanoseconds after the epoch, rounded down to whole ms as CQL keeps times.

    >>> at_ms_of_ns(1_999_999_999).isoformat()
    '1970-01-01T00:00:01.999000+00:00'
    """
    return time_at(ns // 1_000_000 * 1000)


def aware(at: AnyTime) -> AnyTime:
    """A time from Cassandra with its zone: UTC.

    >>> aware(datetime(1970, 1, 1)).isoformat()
    '1970-01-01T00:00:00+00:00'
    """
    if isinstance(at, datetime) and at.tzinfo is None:
        return cast("AnyTime", at.replace(tzinfo=UTC))
    return at
