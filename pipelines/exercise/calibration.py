"""Calibrations learned on Muvr's own users, from what judging asks anyway. Pure.

Each member of the global model is judged on late sets by two models that did not see them: the
member's own model of the early sets, and everybody else's. The answers of both travel to the driver
as a few kilobytes. The calibration that comes out is stored with the global model and used from the
next whole run on, so that within a run every model is calibrated alike.
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
from pipelines.exercise.judging import SetWithWindows

TAG = "muvr-held-out-1"
SHIPPED = "shipped, learned on SPAR-10"
NO_TIMES: NDArray[np.int64] = np.empty(0, dtype=np.int64)
PARTS = ("scores", "truth", "set_of", "strangeness")


@dataclass(frozen=True, slots=True)
class Calibrations:
    """How far the models of a layout are trusted.

    Attributes:
        everybody: of the global model.
        own: of users' models.
        learned_on: where they come from, for the manifest.
    """

    everybody: Calibration = GLOBAL_CALIBRATION
    own: Calibration = USER_CALIBRATION
    learned_on: str = SHIPPED

    def as_manifest(self) -> dict[str, Any]:
        """The form in which a model's manifest holds it."""
        return asdict(self)


def calibrations_from_manifest(written: Any) -> Calibrations:
    """What `as_manifest` wrote; what ships where there is nothing.

    >>> found = Calibrations(own=Calibration(window=0.5), learned_on="7 users")
    >>> calibrations_from_manifest(found.as_manifest()) == found
    True
    """
    if not written:
        return Calibrations()
    own = {"hesitation": USER_CALIBRATION.hesitation, **written["own"]}  # older ones are without
    return Calibrations(
        Calibration(**written["everybody"]), Calibration(**own), written["learned_on"]
    )


def answers_of(
    model: ExerciseModel | None, asked: Sequence[SetWithWindows]
) -> HeldOutScores | None:
    """A model's scores of the windows of sets that it did not see.

    None where there is no model, or nothing to ask it about.
    """
    sets = [LabelledWindows(one.exercise, NO_TIMES, x) for one, x in asked]
    return score_held_out(model, sets) if model is not None else None


def held_to_bytes(everybody: HeldOutScores | None, own: HeldOutScores | None) -> bytes:
    """Both models' answers, thinned to a few kilobytes; `learned_calibrations` reads them."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, held in (("everybody", everybody), ("own", own)):
        if held is not None:
            few = subsampled(held)
            arrays |= {f"{name}_{part}": getattr(few, part) for part in PARTS}
    return codec.pack(TAG, {}, arrays)


def held_answers(
    everybody: ExerciseModel | None, own: ExerciseModel | None, asked: Sequence[SetWithWindows]
) -> bytes:
    """What both models answer about a user's late sets, as it travels to the driver."""
    return held_to_bytes(answers_of(everybody, asked), answers_of(own, asked))


def learned_calibrations(blobs: Iterable[bytes], before: Calibrations) -> Calibrations:
    """The calibrations of the next run; `before` where users do not say better.

    Args:
        blobs: of `held_to_bytes`, a user each, in a fixed order.
        before: what this run used.
    """
    unpacked = [codec.unpack(blob, TAG)[1] for blob in blobs]
    everybody = calibrate_on_users(_held(unpacked, "everybody"), before.everybody)
    own_held = _held(unpacked, "own")
    own = calibrate_on_users(own_held, before.own)
    if everybody is None and own is None:
        return before
    return Calibrations(everybody or before.everybody, own or before.own, f"{len(own_held)} users")


def _held(unpacked: Sequence[Mapping[str, NDArray[Any]]], name: str) -> list[HeldOutScores]:
    return [
        HeldOutScores(*(arrays[f"{name}_{part}"] for part in PARTS))
        for arrays in unpacked
        if f"{name}_truth" in arrays
    ]
