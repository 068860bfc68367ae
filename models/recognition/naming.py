"""The ladder: which exercise, by the user's own model first, then by everybody's.

A user's model knows that user's exercises only. Where it has never seen a movement, everybody's
model is asked; the answer says on which rung it stands. Where nobody knows, the first one
that was asked says why not.

Samples that lack something (gravity, or a rate that shows the movement) are named only where they
are as familiar to the model as its own movement: a device that has always sent such samples has
taught it. Otherwise the answer abstains, and says what is lacking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.exercise.layout import ACC3
from models.exercise.model import Answer, ExerciseModel, Level
from models.exercise.reading import Reading, read, read_all
from models.signal.truth import LOW_RATE, NO_GRAVITY
from models.signal.wrist import WristSignal

NO_MODEL = Answer(None, 0.0, abstained=True, reason="no-model")
UNKNOWN = "unknown-movement"
FAMILIAR = 0.35  # mean strangeness below which a set is like those that were learned (decision 18)
FAMILIAR_AT_LOW_RATE = 0.6  # below, as many names are right as at full rate (decision 22)
LACKING = {NO_GRAVITY: ("no-gravity", FAMILIAR), LOW_RATE: ("low-rate", FAMILIAR_AT_LOW_RATE)}


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
    """An answer, and the rung that gave it; None where there is no model.

    Attributes:
        asked: what each rung that was asked made of it, in order.
    """

    answer: Answer
    rung: Rung | None
    asked: tuple[Answer, ...] = ()


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
            model = rungs[0].model
            read = [_reading_for(model, asked[place].signals, readings[place]) for place in places]
            found = model.answer_readings(read)
            for place, rung, answer in zip(places, rungs, found, strict=True):
                answers[place].append(Named(answer, rung))
        waiting = [place for place in waiting if _goes_on(answers[place], asked[place].ladder)]
    return [_decided(each) for each in answers]


def strangeness(
    model: ExerciseModel, many: Sequence[tuple[Sequence[WristSignal], Reading]]
) -> list[float | None]:
    """How strange stretches of movement are to a model; None where it reads none of one.

    Args:
        model: that is asked.
        many: the signals of each stretch, and what was read of them.
    """
    read = [_reading_for(model, *one) for one in many]
    return [answer.strange for answer in model.answer_readings(read)]


def _reading_for(model: ExerciseModel, signals: Sequence[WristSignal], reading: Reading) -> Reading:
    """The windows that a model can read: without their rotation, where it learned without."""
    if model.model_id != ACC3 or all(one.layout == ACC3 for one in reading.signals):
        return reading
    return read([replace(signal, gyro_rad_s=None) for signal in signals])


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
    decided = answers[0] if answers[-1].answer.abstained else answers[-1]
    asked = tuple(one.answer for one in answers)
    return Named(_as_far_as_seen(decided.answer), decided.rung, asked)


def _as_far_as_seen(answer: Answer) -> Answer:
    """The answer, without the name where the samples lack something and are not familiar."""
    for note, (reason, familiar) in LACKING.items():
        strange = note in answer.notes and (answer.strange or 0.0) >= familiar
        if strange and not answer.abstained:
            return replace(answer, exercise=None, abstained=True, reason=reason)
    return answer
