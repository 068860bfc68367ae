"""Calibrations learned on Muvr's own users, from held-out scores. Pure.

The late sets of each member of the global model are scored by two models that did not see them: the
member's own model of the early sets, and the global model without the member. The scores of both go
to the driver as tens of kilobytes. The calibration that is learned from them is stored with the
global model and used from the next full run on: within a run all models have one calibration.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import codec
from models.exercise.calibrate import HeldOutScores, score_held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import GLOBAL_CALIBRATION, USER_CALIBRATION
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.user_calibration import calibrate_on_users, subsampled
from pipelines.exercise.evaluation import SetWithWindows

TAG = "muvr-held-out-1"
SHIPPED = "shipped, learned on SPAR-10"
NO_TIMES: NDArray[np.int64] = np.empty(0, dtype=np.int64)
PARTS = ("scores", "truth", "set_of", "strangeness")


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The calibrations of a layout's models.

    Attributes:
        everybody: of the global model.
        own: of users' models.
        learned_on: the data that they were learned on, for the manifest.
    """

    everybody: Calibration = GLOBAL_CALIBRATION
    own: Calibration = USER_CALIBRATION
    learned_on: str = SHIPPED

    def as_manifest(self) -> dict[str, Any]:
        """The form in which a model's manifest holds it."""
        return asdict(self)


def calibrations_from_manifest(entry: Any) -> Calibrations:
    """Read what `as_manifest` wrote; the shipped calibrations where there is nothing.

    >>> learned = Calibrations(own=Calibration(window=0.5), learned_on="7 users")
    >>> calibrations_from_manifest(learned.as_manifest()) == learned
    True
    """
    if not entry:
        return Calibrations()
    everybody, own = Calibration(**entry["everybody"]), Calibration(**entry["own"])
    return Calibrations(everybody, own, entry["learned_on"])


def scores_of_sets(
    model: ExerciseModel | None, sets: Sequence[SetWithWindows]
) -> HeldOutScores | None:
    """A model's scores of the windows of sets that it did not see; None without model or sets."""
    labelled = [LabelledWindows(row.exercise, NO_TIMES, x) for row, x in sets]
    return score_held_out(model, labelled) if model is not None else None


def held_out_to_bytes(everybody: HeldOutScores | None, own: HeldOutScores | None) -> bytes:
    """Both models' held-out scores, subsampled; see `learn_calibrations`.

    Scores are float32 as the model gave them: half as wide, at most 2 kB per exercise and model.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, scores in (("everybody", everybody), ("own", own)):
        if scores is not None:
            few = subsampled(scores)
            arrays |= {f"{name}_{part}": getattr(few, part) for part in PARTS}
            arrays[f"{name}_scores"] = few.scores.astype(np.float32)
    return codec.pack(TAG, {}, arrays)


def held_out_scores(
    everybody: ExerciseModel | None, own: ExerciseModel | None, late: Sequence[SetWithWindows]
) -> bytes:
    """Both models' scores of a user's late sets, packed for the driver."""
    return held_out_to_bytes(scores_of_sets(everybody, late), scores_of_sets(own, late))


def learn_calibrations(blobs: Iterable[bytes], before: Calibrations) -> Calibrations:
    """The calibrations of the next run; `before` where those of users are not better.

    Args:
        blobs: of `held_out_to_bytes`, one per user, in a fixed order.
        before: the calibrations of this run.
    """
    unpacked = [codec.unpack(blob, TAG)[1] for blob in blobs]
    everybody = calibrate_on_users(_scores_of(unpacked, "everybody"), before.everybody)
    own_scores = _scores_of(unpacked, "own")
    own = calibrate_on_users(own_scores, before.own)
    if everybody is None and own is None:
        return before
    learned_on = f"{len(own_scores)} users"
    return Calibrations(everybody or before.everybody, own or before.own, learned_on)


def _scores_of(unpacked: Sequence[Mapping[str, NDArray[Any]]], name: str) -> list[HeldOutScores]:
    return [
        HeldOutScores(
            arrays[f"{name}_scores"].astype(np.float64),
            *(arrays[f"{name}_{part}"] for part in PARTS[1:]),
        )
        for arrays in unpacked
        if f"{name}_truth" in arrays
    ]
