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

from models.exercise.model import FAMILIAR, Answer, ExerciseModel, Level
from models.exercise.reading import Reading, read
from models.exercise.signs import Signs
from models.signal.truth import LOW_RATE, NO_GRAVITY
from models.signal.wrist import WristSignal
from schemas.inputs import ACC3, ACC6, InputLayout

NO_MODEL = Answer(None, 0.0, abstained=True, reason="no-model")
UNKNOWN = "unknown-movement"
LACKING: dict[str, tuple[str, dict[InputLayout, float]]] = {
    NO_GRAVITY: ("no-gravity", {ACC6: FAMILIAR, ACC3: FAMILIAR}),
    LOW_RATE: ("low-rate", {ACC6: 0.6, ACC3: 0.8}),
}
"""Why an answer abstains, and the strangeness below which it does not: at a low rate as many of
those names are right as at a full one (decisions 22 and 41)."""


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
class Stretch:
    """Some movement, and its windows as models read them.

    Attributes:
        signals: of the movement, as they were declared.
        reading: their windows.
        signs: under which `reading` is; None as declared.
    """

    signals: Sequence[WristSignal]
    reading: Reading
    signs: Signs | None = None

    def under(self, signs: Signs) -> "Stretch":
        """The same movement by a watch whose axes have other signs."""
        return replace(self, reading=self.reading.under(signs), signs=signs)

    def rungs(self, ladder: Sequence[Rung]) -> tuple[Rung, ...]:
        """Of each level the first rung that reads some of the stretch: it gets no second opinion.

        Where rotation is missing and nobody has learned without it, the first rung says so.
        """
        turning = any([s.layout == ACC6 and len(s.wrists[0].x) for s in self.reading.signals])
        asked: dict[Level, Rung] = {}
        for rung in ladder:
            if turning or rung.model.model_id != ACC6:
                asked.setdefault(rung.level, rung)
        return tuple(asked.values()) or tuple(ladder[:1])

    def for_model(self, model: ExerciseModel) -> Reading:
        """The windows that a model can read: without their rotation, where it learned without."""
        if model.model_id != ACC3 or all(one.layout == ACC3 for one in self.reading.signals):
            return self.reading
        alone = read([replace(signal, gyro_rad_s=None) for signal in self.signals])
        return alone.under(self.signs) if self.signs else alone


def stretch_of(signals: Sequence[WristSignal]) -> Stretch:
    """A stretch with its windows."""
    return Stretch(signals, read(signals))


def name_exercise(signals: Sequence[WristSignal], ladder: Sequence[Rung]) -> Named:
    """Which exercise some movement is.

    Args:
        signals: of one stretch of movement.
        ladder: models in the order in which they are asked; the user's own first, and of each level
            the one that learned with rotation.

    Returns:
        The first answer that names an exercise, else the first one; `NO_MODEL` without a model.
    """
    return name_stretch(stretch_of(signals), ladder) if ladder else Named(NO_MODEL, None)


def name_stretch(stretch: Stretch, ladder: Sequence[Rung]) -> Named:
    """The same for a stretch whose windows have been read, and at least one model."""
    answers: list[Named] = []
    for rung in stretch.rungs(ladder):
        answer = rung.model.answer_reading(stretch.for_model(rung.model))
        answers.append(Named(answer, rung))
        if answer.reason != UNKNOWN:  # what is too short for one is too short for all
            break
    return _decided(answers)


def strangeness(model: ExerciseModel, stretch: Stretch) -> float | None:
    """How strange a stretch of movement is to a model; None where it reads none of it."""
    return model.strangeness_of(stretch.for_model(model))


def _decided(answers: Sequence[Named]) -> Named:
    """The answer that names an exercise, which is the last one; else the first one."""
    decided = answers[0] if answers[-1].answer.abstained else answers[-1]
    asked = tuple(one.answer for one in answers)
    return replace(decided, answer=_as_far_as_seen(decided), asked=asked)


def _as_far_as_seen(named: Named) -> Answer:
    """The answer, without the name where the samples lack something and are not familiar."""
    answer = named.answer
    layout = named.rung.model.model_id if named.rung else ACC6
    for note, (reason, familiar) in LACKING.items():
        strange = note in answer.notes and (answer.strange or 0.0) >= familiar[layout]
        if strange and not answer.abstained:
            return replace(answer, exercise=None, abstained=True, reason=reason)
    return answer
