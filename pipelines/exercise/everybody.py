"""The global exercise model: what everybody together knows, for users without enough of their own.

Users are sampled and their sets capped, so that the cost does not grow with the population. They
are dealt into portions by their ids alone. A portion is added up in the order of its users, and the
driver adds the portions in theirs. The order of a float sum decides its last bits, and neither the
number of cores nor the order in which Spark's tasks end is under our control.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from models.exercise.codec import statistics_from_bytes, statistics_to_bytes, to_bytes
from models.exercise.fit import GlobalModel, fit_global
from models.exercise.statistics import Statistics, total
from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.labelled import labelled_sets
from pipelines.exercise.learner import give_to_everybody
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import FRESH, Fresh
from pipelines.keys import Key, UserKey
from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.threads import one_blas_thread
from schemas.errors import NotEnoughLabels, SpanBroken
from schemas.inputs import LAYOUTS, InputLayout, input_layout

PORTION = 8  # of them a megabyte of statistics passes through the driver
GIVEN = pa.schema(
    [
        ("user_id", pa.string()),
        ("model_id", pa.string()),
        ("fresh", FRESH),
        ("members", pa.list_(pa.string())),  # whose sum the row carries; null in all rows but one
        ("given", pa.binary()),
    ]
)


@dataclass(frozen=True, slots=True)
class Everybody:
    """The global model of one layout.

    Attributes:
        learned: the model and the statistics behind it.
        members: users whose sets are in it, as of this run; empty when an earlier run learned it.
        version: hash of the statistics: part of the digest of every model mixed with them.
        calibrations: how far it and the models mixed with it are trusted.
    """

    learned: GlobalModel
    members: frozenset[str]
    version: str
    calibrations: Calibrations = Calibrations()


@dataclass(frozen=True, slots=True)
class PortionSums:
    """What one portion gave.

    Attributes:
        members: users whose sets are in it, ascending; those with broken data are not.
        statistics: their sum.
    """

    members: tuple[str, ...]
    statistics: Statistics


def portions_of(keys: Iterable[UserKey]) -> list[list[UserKey]]:
    """Members as they are summed up: by layout, ascending, `PORTION` at a time.

    >>> [len(portion) for portion in portions_of([(f"{n}", LAYOUTS[0]) for n in range(20)])]
    [8, 8, 4]
    """
    of: dict[str, list[UserKey]] = {}
    for key in sorted(set(keys), key=lambda key: (key[1], str(key[0]))):
        of.setdefault(key[1], []).append(key)
    return [
        several[first : first + PORTION]
        for several in of.values()
        for first in range(0, len(several), PORTION)
    ]


def everybody_of(
    rows: Iterable[Mapping[str, Any]], calibrations: Mapping[InputLayout, Calibrations]
) -> dict[InputLayout, Everybody]:
    """The global model of every layout that has enough members.

    Args:
        rows: of `GIVEN`.
        calibrations: what the run before learned, by layout.
    """
    rows = list(rows)
    found: dict[InputLayout, Everybody] = {}
    for layout in LAYOUTS:
        known = calibrations.get(layout, Calibrations())
        one = combine(sums_of_portions(rows, layout), layout, known)
        if one is not None:
            found[layout] = one
    return found


def sums_of_portions(rows: Iterable[Mapping[str, Any]], layout: InputLayout) -> list[PortionSums]:
    """What the portions of a layout gave, from rows of `GIVEN`."""
    return [
        PortionSums(tuple(row["members"]), statistics_from_bytes(bytes(row["given"])))
        for row in rows
        if row["model_id"] == layout and row.get("given") is not None
    ]


@one_blas_thread()
def combine(
    given: Iterable[PortionSums], layout: InputLayout, calibrations: Calibrations
) -> Everybody | None:
    """The global model of the members' sums; None when they tell nothing apart."""
    ordered = sorted(given, key=lambda one: one.members)
    try:
        learned = fit_global(
            total([one.statistics for one in ordered]),
            model_id=layout,
            calibration=calibrations.everybody,
            user_calibration=calibrations.own,
        )
    except NotEnoughLabels:
        return None
    members = frozenset(user for one in ordered for user in one.members)
    return Everybody(learned, members, statistics_version(learned), calibrations)


def portion_rows(
    portion: Sequence[tuple[Key, pa.Table]], *, recipe: Recipe
) -> list[dict[str, Any]]:
    """On an executor: a row of every member of a portion; the last one carries their sum.

    A user whose data is broken gives nothing; the next pass, in which the user is learned, makes a
    row with the reason.
    """
    rows: list[dict[str, Any]] = []
    added: list[Statistics] = []
    for key, group in sorted(portion, key=lambda one: str(one[0])):
        value = attempted(partial(_given, key, group, recipe)).value
        if value is not None:
            added = [total([*added, value[0]])]  # one after the other: each is two megabytes
            fresh = [asdict(one) for one in value[1]]
            rows.append({"user_id": key[0], "model_id": key[1], "fresh": fresh})
    if rows:
        members = [row["user_id"] for row in rows]
        rows[-1] |= {"members": members, "given": statistics_to_bytes(added[0])}
    return rows


def portions_whole(
    rows: Iterable[Mapping[str, Any]], portions: Sequence[Sequence[UserKey]]
) -> None:
    """Refuse sums of anything but portions: their last bits would be those of Spark's splits.

    Raises:
        SpanBroken: a portion was summed up in two pieces, or two in one.
    """
    number_of = {(str(u), m): n for n, portion in enumerate(portions) for u, m in portion}
    seen: set[int] = set()
    for row in rows:
        numbers = {number_of[user, row["model_id"]] for user in row.get("members") or ()}
        if len(numbers) > 1 or numbers & seen:
            raise SpanBroken(f"Portions {sorted(numbers)} were not summed up one by one.")
        seen |= numbers


def _given(key: Key, group: pa.Table, recipe: Recipe) -> tuple[Statistics, tuple[Fresh, ...]]:
    return give_to_everybody(labelled_sets(group), input_layout(str(key[1])), recipe)


def statistics_version(learned: GlobalModel) -> str:
    """The start of the hash of everything that a user's model takes from the global one."""
    both = statistics_to_bytes(learned.statistics) + to_bytes(learned.model)
    return hashlib.sha256(both).hexdigest()[:16]
