"""Constants of the storage layout. They cannot be configured: start-up compares `LAYOUT`."""

from datetime import date
from uuid import UUID

CHUNKS_PER_PART = 128
SHARDS = 64
LAYOUT = {"chunks_per_part": str(CHUNKS_PER_PART), "shards": str(SHARDS), "month": "YYYY-MM"}

MAX_ID_AGE_DAYS, MAX_ID_AHEAD_DAYS = 400, 1
"""How far the time in an id may be behind and ahead of the server's clock, in days;
limits.clock_…_days may be less. Finding a user's recent events means reading the months between."""

MAX_CHUNK_SAMPLES = 8192
"""The longest chunk; limits.chunk_samples may be less."""

MAX_MODEL_BYTES = 7_500_000
"""The largest model, which is one row: a node takes 8 MiB in one write, the manifest included. The
statistics of the global exercise model take 4 kB for each exercise and wrist, its labels 2 kB."""

GLOBAL_OWNER = "global"
_USER_PREFIX = "u:"


def part_of(seq: int) -> int:
    """The partition of chunk `seq` within its stream.

    >>> part_of(127), part_of(128)
    (0, 1)
    """
    return seq // CHUNKS_PER_PART


def shard_of(user_id: UUID) -> int:
    """The shard of a user in the tables that are keyed by day: 0 to 63."""
    return user_id.int % SHARDS


def month_of(day: date) -> str:
    """The month bucket of a day.

    >>> month_of(date(2026, 11, 21))
    '2026-11'
    """
    return f"{day.year:04d}-{day.month:02d}"


def months_between(first: date, last: date) -> list[str]:
    """Every month from one day to another, in order.

    >>> months_between(date(2026, 12, 31), date(2027, 1, 1))
    ['2026-12', '2027-01']
    """
    count = (last.year - first.year) * 12 + last.month - first.month
    starts = (first.year * 12 + first.month - 1 + n for n in range(count + 1))
    return [month_of(date(n // 12, n % 12 + 1, 1)) for n in starts]


def owner_of(user_id: UUID) -> str:
    """The owner key of a user's own models; `user_of_owner` reads it."""
    return f"{_USER_PREFIX}{user_id}"


def user_of_owner(owner: str) -> UUID | None:
    """The user whose models have this owner key; None where it is not a user's.

    >>> user_of_owner(owner_of(UUID(int=7))) == UUID(int=7), user_of_owner(GLOBAL_OWNER)
    (True, None)
    """
    if not owner.startswith(_USER_PREFIX):
        return None
    return UUID(owner.removeprefix(_USER_PREFIX))
