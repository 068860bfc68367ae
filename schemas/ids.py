"""Ids: UUIDv7 from clients, the slots of the journal that follow from them, versions of models."""

import hashlib
import re
from datetime import date, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas.layout import MAX_ID_AHEAD_DAYS
from schemas.times import time_at, us_of

MS_PER_DAY = 86_400_000
UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def uuid7(at_ms: int, entropy: bytes) -> UUID:
    """A UUIDv7 (RFC 9562) of a time and ten random bytes.

    >>> uuid7(1_700_000_000_000, bytes(10))
    UUID('018bcfe5-6800-7000-8000-000000000000')
    """
    return _rfc9562((at_ms & (1 << 48) - 1) << 80 | int.from_bytes(entropy[:10], "big"), version=7)


def without_ids(sentence: str) -> str:
    """A sentence that names nobody's rows: each id is replaced.

    >>> without_ids("half a set in session 018bcfe5-6800-7000-8000-000000000000")
    'half a set in session (id)'
    """
    return re.sub(UUID_PATTERN, "(id)", sentence)


def first_id_at(at: datetime) -> UUID:
    """The first UUIDv7 of a time: those from then on sort behind it.

    >>> first_id_at(datetime(2023, 11, 14, 22, 13, 20))
    UUID('018bcfe5-6800-7000-8000-000000000000')
    """
    return uuid7(us_of(at) // 1000, bytes(10))


def recognised_set_id(session_id: UUID, start_ns: int) -> UUID:
    """The id of a recognised set: the same whenever the same samples are recognised.

    A UUIDv7 of its start, as a client would make one, so that the set is confirmed under it. Where
    that is more than a day from the time in the session's id, as on a watch that counts from 1970,
    it is that one: a client made it with a clock that was right.

    >>> session_id = UUID("018bcfe5-6800-7000-8000-000000000000")
    >>> recognised_set_id(session_id, 1_700_000_000_123_456_789)
    UUID('018bcfe5-687b-75ed-bd56-78dfafaf87b7')
    >>> time_us_of(recognised_set_id(session_id, 9_000_000_000)) == time_us_of(session_id)
    True
    """
    entropy = hashlib.sha256(f"{session_id} {start_ns}".encode()).digest()
    of_start = uuid7(start_ns // 1_000_000, entropy)
    return (
        of_start
        if is_within_a_day(of_start, session_id)
        else uuid7(time_us_of(session_id) // 1000, entropy)
    )


def is_within_a_day(id_: UUID, other: UUID) -> bool:
    """Whether the times in two UUIDv7 are a day apart at most.

    >>> is_within_a_day(uuid7(86_400_000, bytes(10)), uuid7(0, bytes(10)))
    True
    >>> is_within_a_day(uuid7(0, bytes(10)), uuid7(86_400_001, bytes(10)))
    False
    """
    return abs(time_us_of(id_) - time_us_of(other)) <= MS_PER_DAY * 1000


def subject_id(issuer: str, subject: str) -> UUID:
    """The id of an outside issuer's subject, which is any text; its user's id until an erasure.

    >>> is_subject_id(subject_id("https://id.example", "ada"))
    True
    """
    return uuid5(NAMESPACE_URL, f"{issuer} {subject}")


def is_subject_id(user_id: UUID) -> bool:
    """Whether a user id is that of an outside issuer's subject: no other user ids are UUIDv5."""
    return user_id.version == 5


def time_us_of(id_: UUID) -> int:
    """Microseconds since the epoch that a UUIDv7 carries (it counts milliseconds).

    >>> time_us_of(uuid7(1_700_000_000_000, bytes(10)))
    1700000000000000
    """
    return (id_.int >> 80) * 1000


def day_of(id_: UUID) -> date:
    """The UTC day that a UUIDv7 carries.

    Raises:
        OverflowError: a day after the year 9999; `may_exist` tells such ids.
    """
    return time_at(time_us_of(id_)).date()


def may_exist(id_: UUID, now_us: int) -> bool:
    """Whether anything can have this id: a UUIDv7 that no clock accepted yet is nothing's.

    Without this check the journal would be read, or written, in months that nobody visits.

    >>> [may_exist(uuid7(at_ms, bytes(10)), 0) for at_ms in (0, 86_400_000, 86_400_001)]
    [True, True, False]
    >>> may_exist(UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"), 0), may_exist(UUID(int=1), 0)
    (False, False)
    """
    return id_.version == 7 and time_us_of(id_) <= now_us + MAX_ID_AHEAD_DAYS * MS_PER_DAY * 1000


def slot(id_: UUID, *words: object) -> UUID:
    """The slot of an event: its id in the journal, derived from the entity's id and some words.

    The first event in a slot wins. A UUIDv8 (RFC 9562: "vendor-specific") from a hash.

    >>> slot(UUID(int=1), "open") == slot(UUID(int=1), "open")
    True
    >>> slot(UUID(int=1), "open") == slot(UUID(int=1), "delete")
    False
    """
    text = "\x1f".join([str(id_), *(str(word) for word in words)])
    digest = hashlib.sha256(text.encode()).digest()
    return _rfc9562(int.from_bytes(digest[:16], "big"), version=8)


def version_of(sha256: bytes) -> str:
    """The version of a model: the start of the hash of its bytes.

    >>> version_of(bytes(32))
    '0000000000000000'
    """
    return sha256.hex()[:16]


def _rfc9562(number: int, version: int) -> UUID:
    """The UUID of 128 bits, of which six are overwritten: those of version and variant."""
    number = number & ~(0xF << 76) | version << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)
