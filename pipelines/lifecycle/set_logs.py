"""One user's confirmed sets as a log, and what tells two logs apart. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from models.history import DAY_S, SetLog, done_set
from schemas.errors import BadSets
from schemas.events import MAX_INTENSITY, MAX_REPS, MAX_WEIGHT_KG
from schemas.times import AHEAD_AT_MOST, EARLIEST, us_of

USER_KEY = ("user_id",)
LATER_DAYS = 28  # before the newest set of all, from which on sets judge models
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

LIMITS = {
    "reps": (0, MAX_REPS, f"a number from 0 to {MAX_REPS}"),
    "weight_kg": (0, MAX_WEIGHT_KG, f"a number from 0 to {MAX_WEIGHT_KG}"),
    "intensity": (0, MAX_INTENSITY, f"a number from 0 to {MAX_INTENSITY}"),
}
"""The least and the most that a client may send, and what to say of anything else."""
TIME_LIMITS = f"a time from {EARLIEST.date()} to a day after the run began"

REVISIONS = ("set_id", "revision")
"""Columns from which the digest of a log is made."""

_PARTITION = pa.schema(
    [
        ("user_id", pa.string()),
        ("session_id", pa.string()),
        ("exercise", pa.string()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("reps", pa.int32()),
        ("weight_kg", pa.float64()),
        ("intensity", pa.float64()),
        ("set_id", pa.string()),
        ("revision", pa.int64()),
    ]
)
_MOST_US = 2**63 - 1  # that Arrow can hold; a later time is as wrong as this one


def partition_of(user_id: UUID, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A user's rows of `sets` in the form in which Spark hands them over: ids are text.

    Args:
        user_id: whose rows.
        rows: as of `store.sets.TrainedSet`, in the order of the table.
    """
    return pa.Table.from_pylist([_as_read(user_id, row) for row in rows], schema=_PARTITION)


def _as_read(user_id: UUID, row: Mapping[str, Any]) -> dict[str, Any]:
    ids = {name: str(row[name]) for name in ("session_id", "set_id")}
    ms = row["started_ms"]
    started_us = None if ms is None else max(-_MOST_US, min(1000 * ms, _MOST_US))
    return {**row, **ids, "user_id": str(user_id), "started_at": started_us}


def evaluation_cutoff_s(newest: datetime) -> float:
    """The cut-off, seconds since the epoch: models of the sets before it are judged on the rest."""
    return newest.timestamp() - LATER_DAYS * DAY_S


def latest_start(now: datetime) -> datetime:
    """The latest start of a set that a run takes, which began at `now`."""
    return now + AHEAD_AT_MOST


def log_of(group: pa.Table, latest: datetime) -> SetLog:
    """The sets of one partition as a log, oldest first.

    Args:
        group: the partition.
        latest: as of `latest_start`.

    Raises:
        BadSets: a row lacks its time or exercise, or has a number or a time that no client may
            send (CQL writes anything); the message is read by operators.
    """
    _require_within_limits(group, latest)
    rows = group.select(COLUMNS[1:]).to_pylist()
    for row in rows:
        if row["started_at"] is None or row["exercise"] is None:
            raise BadSets(f"half a set in session {row['session_id']}: no time, or no exercise")
    return SetLog.of(done_set(**row) for row in rows)


def _require_within_limits(group: pa.Table, latest: datetime) -> None:
    """Refuse a user with a value that would outweigh everybody else's; what is null was not said.

    Raises:
        BadSets: names the first one. It does not name `latest`: next night the same failure must
            have the same reason.
    """
    times = tuple(np.datetime64(us_of(at), "us") for at in (EARLIEST, latest))
    for name, (least, most, rule) in (LIMITS | {"started_at": (*times, TIME_LIMITS)}).items():
        column = group[name]
        if column.null_count == len(column):
            continue
        values = column.to_numpy()  # a null as NaN or NaT, which is not within either
        within = (values >= least) & (values <= most)
        if np.count_nonzero(within) + column.null_count < len(column):
            row = int(np.flatnonzero(~within & column.is_valid().to_numpy())[0])
            value = column[row].cast(pa.string())  # Python has no years after 9999
            raise BadSets(
                f"{name} {value} of a set in session {group['session_id'][row]} is not {rule}; "
                "correct or delete the set"
            )


def log_digest(revisions: Iterable[tuple[object, object]]) -> str:
    """The digest of a log: equal digests mean equal sets.

    Args:
        revisions: id and revision of each set, in any order.

    >>> log_digest([("b", 2), ("a", 1)]) == log_digest([("a", 1), ("b", 2)])
    True
    """
    parts = sorted(f"{set_id} {revision}" for set_id, revision in revisions)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
