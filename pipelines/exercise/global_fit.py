"""The global exercise model, fitted from sums over sampled users, for users without their own.

Users are sampled and their sets capped, so that the cost does not grow with the population. They
are divided into portions by their ids alone. A portion is summed in the order of its users, and the
driver sums the portions in theirs: the order of a float sum decides its last bits, and neither the
number of cores nor the order in which Spark's tasks end is under our control.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

import pyarrow as pa

from models.exercise.codec import statistics_from_bytes, statistics_to_bytes, to_bytes
from models.exercise.fit import GlobalModel, fit_global
from models.exercise.statistics import Statistics, total
from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.labelled import LabelledRow, labelled_sets
from pipelines.exercise.learner import member_digest, member_statistics
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import FRESH, FreshWindows
from pipelines.keys import Key, Row, UserKey
from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.incumbents import EvaluationPeriod
from pipelines.lifecycle.members import may_be_member
from pipelines.lifecycle.threads import one_blas_thread
from schemas.errors import NotEnoughLabels, SpanBroken
from schemas.inputs import LAYOUTS, InputLayout, input_layout
from schemas.times import us_of

PORTION_MEMBERS = 8  # each portion sends a megabyte of statistics through the driver
MEMBER_SUMS = pa.schema(
    [
        ("user_id", pa.string()),
        ("model_id", pa.string()),
        ("fresh", FRESH),
        ("digest", pa.string()),  # of the member's sets in the sums
        ("members", pa.list_(pa.string())),  # of the portion; null in all its rows but the last
        ("sums", pa.binary()),  # over these members; null where `members` is
    ]
)


@dataclass(frozen=True, slots=True)
class EarlierMembers:
    """What a stored global model tells about its members, whom it does not name.

    Attributes:
        drawn: entry of its manifest, see `may_be_member`.
        period: of sets that it was learned without, whoever its members are.
    """

    drawn: object
    period: EvaluationPeriod

    def unlearned(self, user_id: str, sets: Iterable[LabelledRow]) -> EvaluationPeriod | None:
        """The period of a user's sets that are not in the model; None: no set of theirs is.

        A user all of whose sets were confirmed later was not there to be drawn. That includes one
        who has imported years of training since.
        """
        learned_us = us_of(self.period.after)
        drawn = may_be_member(UUID(user_id), self.drawn)
        return self.period if drawn and any(row.revision <= learned_us for row in sets) else None


@dataclass(frozen=True, slots=True)
class VersionedGlobalModel:
    """The global model of one layout.

    Attributes:
        learned: the model and the statistics behind it.
        members: users whose sets are in it; empty when an earlier run learned it.
        version: hash of the statistics: part of the digest of every model mixed with them.
        calibrations: of the model, and of users' models that are mixed with it.
        digests: of each member's sets that are in it, see `member_digest`.
        earlier: of a model that an earlier run learned; None when this run has.
    """

    learned: GlobalModel
    members: frozenset[str]
    version: str
    calibrations: Calibrations = Calibrations()
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    earlier: EarlierMembers | None = None


GlobalModels = Mapping[InputLayout, VersionedGlobalModel]
"""Global models by layout; layouts without one are left out."""


@dataclass(frozen=True, slots=True)
class PortionSums:
    """The statistics of one portion.

    Attributes:
        members: users whose sets are in it, ascending; those with broken data are not.
        statistics: summed over these users.
    """

    members: tuple[str, ...]
    statistics: Statistics


def portions_of(keys: Iterable[UserKey]) -> list[list[UserKey]]:
    """Divide members into portions: by layout, ascending, `PORTION_MEMBERS` at a time.

    >>> [len(portion) for portion in portions_of([(f"{n}", LAYOUTS[0]) for n in range(20)])]
    [8, 8, 4]
    """
    by_layout: dict[str, list[UserKey]] = {}
    for key in sorted(set(keys), key=lambda key: (key[1], str(key[0]))):
        by_layout.setdefault(key[1], []).append(key)
    return [
        members[first : first + PORTION_MEMBERS]
        for members in by_layout.values()
        for first in range(0, len(members), PORTION_MEMBERS)
    ]


def fit_global_models(
    rows: Iterable[Mapping[str, Any]], calibrations: Mapping[InputLayout, Calibrations]
) -> dict[InputLayout, VersionedGlobalModel]:
    """The global model of every layout that has enough members.

    Args:
        rows: of `MEMBER_SUMS`.
        calibrations: learned by the run before, by layout.
    """
    rows = list(rows)
    models: dict[InputLayout, VersionedGlobalModel] = {}
    for layout in LAYOUTS:
        calibration = calibrations.get(layout, Calibrations())
        model = fit_from_sums(portion_sums(rows, layout), layout, calibration)
        if model is not None:
            of_layout = {r["user_id"]: r["digest"] for r in rows if r["model_id"] == layout}
            models[layout] = replace(model, digests=of_layout)
    return models


def portion_sums(rows: Iterable[Mapping[str, Any]], layout: InputLayout) -> list[PortionSums]:
    """The sums of a layout's portions, from rows of `MEMBER_SUMS`."""
    return [
        PortionSums(tuple(row["members"]), statistics_from_bytes(bytes(row["sums"])))
        for row in rows
        if row["model_id"] == layout and row.get("sums") is not None
    ]


@one_blas_thread()
def fit_from_sums(
    portions: Iterable[PortionSums], layout: InputLayout, calibrations: Calibrations
) -> VersionedGlobalModel | None:
    """Fit the global model of a layout; None with fewer than two exercises."""
    ordered = sorted(portions, key=lambda portion: portion.members)
    try:
        learned = fit_global(
            total([portion.statistics for portion in ordered]),
            model_id=layout,
            calibration=calibrations.everybody,
            user_calibration=calibrations.own,
        )
    except NotEnoughLabels:
        return None
    members = frozenset(user for portion in ordered for user in portion.members)
    return VersionedGlobalModel(learned, members, statistics_version(learned), calibrations)


def portion_rows(portion: Sequence[tuple[Key, pa.Table]], *, recipe: Recipe) -> list[Row]:
    """On an executor: a row per member of a portion; the last row carries their sums.

    Users whose data is broken are left out; the next pass, in which users are learned, reports
    them.
    """
    rows: list[Row] = []
    sums: list[Statistics] = []
    for key, group in sorted(portion, key=lambda member: str(member[0])):
        value = attempted(partial(_member_statistics, key, group, recipe)).value
        if value is not None:
            statistics, fresh, given = value
            sums = [total([*sums, statistics])]  # one after the other: each is two megabytes
            row = {"user_id": key[0], "model_id": key[1], "digest": given}
            rows.append(row | {"fresh": [asdict(windows) for windows in fresh]})
    if rows:
        members = [row["user_id"] for row in rows]
        rows[-1] |= {"members": members, "sums": statistics_to_bytes(sums[0])}
    return rows


def require_whole_portions(
    rows: Iterable[Mapping[str, Any]], portions: Sequence[Sequence[UserKey]]
) -> None:
    """Refuse sums over anything but whole portions: their last bits would depend on Spark's splits.

    Raises:
        SpanBroken: a portion was summed in two pieces, or two portions in one.
    """
    number_of = {(str(u), m): n for n, portion in enumerate(portions) for u, m in portion}
    seen: set[int] = set()
    for row in rows:
        numbers = {number_of[user, row["model_id"]] for user in row.get("members") or ()}
        if len(numbers) > 1 or numbers & seen:
            raise SpanBroken(f"Portions {sorted(numbers)} were not summed up one by one.")
        seen |= numbers


def _member_statistics(
    key: Key, group: pa.Table, recipe: Recipe
) -> tuple[Statistics, tuple[FreshWindows, ...], str]:
    sets = labelled_sets(group)
    statistics, fresh = member_statistics(sets, input_layout(str(key[1])), recipe)
    return statistics, fresh, member_digest(sets, recipe)


def statistics_version(learned: GlobalModel) -> str:
    """The first 16 hex digits of the SHA-256 of all that users' models take from the global one."""
    content = statistics_to_bytes(learned.statistics) + to_bytes(learned.model)
    return hashlib.sha256(content).hexdigest()[:16]
