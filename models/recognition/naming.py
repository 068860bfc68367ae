"""The ladder: which exercise, by the user's own model first, then by everybody's.

A user's model knows that user's exercises only. Where it has never seen a movement, everybody's
model is asked; the answer says on which rung it stands. Where nobody knows, the first one
that was asked says why not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.exercise.model import Answer, ExerciseModel, Level
from models.exercise.reading import read_all
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


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Some movement whose exercise is asked for.

    Attributes:
        signals: of one stretch of movement.
        ladder: models in the order in which they are asked; the user's own first.
    """

    signals: Sequence[WristSignal]
    ladder: Sequence[Rung]


def name_exercise(signals: Sequence[WristSignal], ladder: Sequence[Rung]) -> Named:
    """Which exercise some movement is; arguments as of `Unnamed`.

    Returns:
        The first answer that names an exercise, else the first one; `NO_MODEL` without a model.
    """
    return name_exercises([Unnamed(signals, ladder)])[0]


def name_exercises(asked: Sequence[Unnamed]) -> list[Named]:
    """The same of many, each with its own ladder: a quarter of the time of one after the other."""
    readings = read_all([one.signals if one.ladder else () for one in asked])
    answers: list[list[Named]] = [[] for _ in asked]
    waiting = [place for place, one in enumerate(asked) if one.ladder]
    while waiting:
        for places in _by_model(waiting, asked, answers):
            rungs = [asked[place].ladder[len(answers[place])] for place in places]
            found = rungs[0].model.answer_readings([readings[place] for place in places])
            for place, rung, answer in zip(places, rungs, found, strict=True):
                answers[place].append(Named(answer, rung))
        waiting = [place for place in waiting if _goes_on(answers[place], asked[place].ladder)]
    return [_decided(each) for each in answers]


def _by_model(
    waiting: Sequence[int], asked: Sequence[Unnamed], answers: Sequence[Sequence[Named]]
) -> list[list[int]]:
    """Those who wait, grouped by the model that they ask next."""
    groups: dict[int, list[int]] = {}
    for place in waiting:
        model = asked[place].ladder[len(answers[place])].model
        groups.setdefault(id(model), []).append(place)
    return list(groups.values())


def _goes_on(answers: Sequence[Named], ladder: Sequence[Rung]) -> bool:
    """Whether the next rung is asked: what is too short for one is too short for all."""
    return len(answers) < len(ladder) and answers[-1].answer.reason == UNKNOWN


def _decided(answers: Sequence[Named]) -> Named:
    """The answer that names an exercise, which is the last one; else the first one."""
    if not answers:
        return Named(NO_MODEL, None)
    return answers[0] if answers[-1].answer.abstained else answers[-1]
