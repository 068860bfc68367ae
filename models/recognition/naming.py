"""The ladder: which exercise, by the user's own model first, then by everybody's.

A user's model knows that user's exercises only. Where it has never seen a movement, everybody's
model is asked; the answer says on which rung it stands. Where nobody knows, the first one
that was asked says why not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.exercise.model import Answer, ExerciseModel, Level
from models.signal.wrist import WristSignal

NO_MODEL = Answer(None, 0.0, abstained=True, reason="no-model")
UNKNOWN = "unknown-movement"


@dataclass(frozen=True, slots=True)
class Rung:
    """A model that may answer.

    Attributes:
        level: whose it is.
        version: of its bytes.
        model: as decoded.
    """

    level: Level
    version: str
    model: ExerciseModel


@dataclass(frozen=True, slots=True)
class Named:
    """An answer, and the rung that gave it; None where there is no model."""

    answer: Answer
    rung: Rung | None


def name_exercise(signals: Sequence[WristSignal], ladder: Sequence[Rung]) -> Named:
    """Which exercise some movement is.

    Args:
        signals: of one stretch of movement.
        ladder: models in the order in which they are asked; the user's own first.

    Returns:
        The first answer that names an exercise, else the first one; `NO_MODEL` without a model.
    """
    answers: list[Named] = []
    for rung in ladder:
        named = Named(rung.model.answer(signals), rung)
        if not named.answer.abstained:
            return named
        answers.append(named)
        if named.answer.reason != UNKNOWN:
            break  # what is too short for one is too short for all
    return answers[0] if answers else Named(NO_MODEL, None)
