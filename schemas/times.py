"""Times as whole numbers, without a detour through floating point."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def us_of(at: datetime) -> int:
    """Microseconds since the epoch; a time without a zone is UTC, as Cassandra returns it.

    >>> us_of(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // _US


def at_us(us: int) -> datetime:
    """The time that lies so many microseconds after the epoch."""
    return EPOCH + timedelta(microseconds=us)


def aware(at: datetime | None) -> datetime | None:
    """A time from Cassandra with its zone: UTC."""
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
