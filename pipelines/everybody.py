"""The global exercise model: what everybody together knows, for users without enough of their own.

Users are sampled and capped, so that it does not grow with the population. Statistics come to the
driver one by one and are added in the order of their users: the order of a float sum decides its
last bits, and the order in which Spark's tasks end is not ours.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa

from models.exercise.codec import model_to_bytes, statistics_from_bytes, statistics_to_bytes
from models.exercise.fit import GlobalModel, fit_global
from models.exercise.layout import ACC3, ACC6, ModelId
from models.exercise.statistics import Statistics, total
from pipelines.attempts import attempted
from pipelines.calibration import Calibrations
from pipelines.labelled import labelled_sets
from pipelines.learner import Recipe, give_to_everybody
from pipelines.span import Key
from pipelines.threads import one_blas_thread
from pipelines.windows import FRESH
from schemas.errors import NotEnoughLabels

KEY = ("user_id", "model_id")
MEMBERS = 128  # users of a layout; a megabyte of statistics each passes through the driver
GIVEN = pa.schema(
    [
        ("user_id", pa.string()),
        ("model_id", pa.string()),
        ("given", pa.binary()),
        ("fresh", FRESH),
    ]
)
LAYOUTS: tuple[ModelId, ...] = (ACC3, ACC6)


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


def members_of(keys: Iterable[tuple[UUID, str]], seed: int) -> list[tuple[UUID, str]]:
    """The users of every layout whose statistics make its global model."""
    keys = list(keys)
    return [key for layout in LAYOUTS for key in sample(keys, layout, seed)]


def everybody_of(
    rows: Iterable[Mapping[str, Any]], calibrations: Mapping[ModelId, Calibrations]
) -> dict[ModelId, Everybody]:
    """The global model of every layout that has enough members.

    Args:
        rows: of `GIVEN`.
        calibrations: what the run before learned, by layout.
    """
    given: dict[ModelId, dict[str, Statistics]] = {layout: {} for layout in LAYOUTS}
    for row in rows:
        given[row["model_id"]][row["user_id"]] = statistics_from_bytes(bytes(row["given"]))
    found: dict[ModelId, Everybody] = {}
    for layout in LAYOUTS:
        one = combine(given[layout], layout, calibrations.get(layout, Calibrations()))
        if one is not None:
            found[layout] = one
    return found


@one_blas_thread()
def combine(
    given: Mapping[str, Statistics], layout: ModelId, calibrations: Calibrations
) -> Everybody | None:
    """The global model of what members gave; None when it is not enough to tell anything apart."""
    try:
        learned = fit_global(
            total([given[user] for user in sorted(given)]),
            model_id=layout,
            calibration=calibrations.everybody,
            own_calibration=calibrations.own,
        )
    except NotEnoughLabels:
        return None
    return Everybody(learned, frozenset(given), version_of(learned), calibrations)


def sample(keys: Iterable[tuple[UUID, str]], layout: str, seed: int) -> list[tuple[UUID, str]]:
    """At most `MEMBERS` users of a layout, by lot; few change as others come and go."""

    def lot(key: tuple[UUID, str]) -> bytes:
        return hashlib.sha256(f"{seed} {key[0]}".encode()).digest()

    return sorted((key for key in keys if key[1] == layout), key=lot)[:MEMBERS]


def given_row(key: Key, group: pa.Table, *, recipe: Recipe) -> list[dict[str, Any]]:
    """On an executor: a user's statistics; nothing of a user whose data is broken."""
    model_id: ModelId = key[1]  # pyright: ignore[reportAssignmentType]
    attempt = attempted(lambda: give_to_everybody(labelled_sets(group), model_id, recipe))
    if attempt.value is None:  # the same user is learned next: there it becomes a row with a reason
        return []
    given, fresh = attempt.value
    return [
        {
            "user_id": key[0],
            "model_id": model_id,
            "given": statistics_to_bytes(given),
            "fresh": [asdict(one) for one in fresh],
        }
    ]


def version_of(learned: GlobalModel) -> str:
    """The start of the hash of everything that a user's model takes from the global one."""
    both = statistics_to_bytes(learned.statistics) + model_to_bytes(learned.model)
    return hashlib.sha256(both).hexdigest()[:16]
