"""One user's confirmed sets as a log, and what tells two logs apart. Pure."""

import hashlib
from collections.abc import Iterable

import pyarrow as pa

from models.history import SetLog, done_set
from schemas.errors import BadSets

USER_KEY = ("user_id",)
COLUMNS = (
    "user_id",
    "session_id",
    "exercise",
    "started_at",
    "reps",
    "weight_kg",
    "intensity",
)
"""Columns of `sets` that a log is made of."""

REVISIONS = ("set_id", "revision")
"""Columns from which the digest of a log is made."""


def log_of(group: pa.Table) -> SetLog:
    """The sets of one partition as a log, oldest first.

    Raises:
        BadSets: a row lacks its time or exercise; the message is read by operators.
    """
    rows = group.select(COLUMNS[1:]).to_pylist()
    for row in rows:
        if row["started_at"] is None or row["exercise"] is None:
            raise BadSets(f"half a set in session {row['session_id']}: no time, or no exercise")
    return SetLog.of(done_set(**row) for row in rows)


def log_digest(revisions: Iterable[tuple[object, object]]) -> str:
    """The digest of a log: equal digests mean equal sets.

    Args:
        revisions: id and revision of each set, in any order.

    >>> log_digest([("b", 2), ("a", 1)]) == log_digest([("a", 1), ("b", 2)])
    True
    """
    parts = sorted(f"{set_id} {revision}" for set_id, revision in revisions)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
