"""Which ids clients may give to new things: UUIDv7 whose time is about that of the server."""

from uuid import UUID

from schemas.config import Limits
from schemas.errors import BadEvent, ClockSkew
from schemas.ids import MS_PER_DAY, time_us_of

TOLERATED_MS = 5 * 60_000
"""No two clocks agree: an id may be so far ahead, also where limits.clock_future_days is 0."""


def check_client_id(id_: UUID, field: str, now_ms: int, limits: Limits) -> None:
    """Refuse ids that are no UUIDv7 or lie too far from the server's clock.

    Raises:
        BadEvent: another version of UUID: it has no time.
        ClockSkew: the id's time lies more than `clock_past_days` back or `clock_future_days` ahead.
    """
    if id_.version != 7:
        raise BadEvent(f"{field} {id_} must be a UUIDv7", field=field, value=str(id_))
    past_days, future_days = limits.clock_past_days, limits.clock_future_days
    ahead_ms = time_us_of(id_) // 1000 - now_ms
    most_ahead_ms = max(future_days * MS_PER_DAY, TOLERATED_MS)
    if not -past_days * MS_PER_DAY <= ahead_ms <= most_ahead_ms:
        ahead = f"{future_days:+d}" if future_days else "5 minutes ahead"
        raise ClockSkew(
            f"{field} {id_} lies {ahead_ms / MS_PER_DAY:+.1f} days from the server's clock; "
            f"{-past_days:+d} to {ahead} are accepted. Set the device's clock, then make a new id.",
            field=field,
            value=str(id_),
        )
