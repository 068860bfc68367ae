"""The ladder: names an exercise by the user model first, then by the global model.

A user model knows that user's exercises only. Where it finds a movement unknown, the global model
is tried; the result says which rung it comes from. Where all abstain, the reason is that of the
first.

Degraded samples (without gravity, or at a low rate) are named only where they are as familiar to
the model as its training data: then it was trained on such a device. Otherwise the result abstains,
with what is missing as the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.exercise.axis_map import AxisMap
from models.exercise.model import FAMILIAR, ExerciseModel, Level
from models.exercise.prediction import UNKNOWN_MOVEMENT, AbstainReason, Prediction
from models.exercise.windowing import MovementWindows, window_movement
from models.signal.pieces import Side
from models.signal.wrist import WristSignal
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.notes import LOW_RATE, NO_GRAVITY, QualityNote

NO_MODEL = Prediction(None, 0.0, abstained=True, reason="no-model")
DEGRADED: dict[QualityNote, tuple[AbstainReason, dict[InputLayout, float]]] = {
    NO_GRAVITY: ("no-gravity", {ACC6: FAMILIAR, ACC3: FAMILIAR}),
    LOW_RATE: ("low-rate", {ACC6: 0.6, ACC3: 0.8}),
}
"""Note of degraded samples to the reason for abstaining, and the strangeness from which on to
abstain: below it as many names are right at a low rate as at a full one (decisions 22 and 41)."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One model of the ladder.

    Attributes:
        level: user or global.
        version: of its bytes.
        model: decoded.
    """

    level: Level
    version: str
    model: ExerciseModel


@dataclass(frozen=True, slots=True)
class LadderPrediction:
    """The prediction of a ladder of models.

    Attributes:
        prediction: of the rung that decided.
        rung: that rung; None where there is no model.
        tried: the predictions of all rungs that were tried, in order.
    """

    prediction: Prediction
    rung: Rung | None
    tried: tuple[Prediction, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch of movement with its windows.

    Attributes:
        signals: as declared.
        windows: of the signals.
        axis_map: that `windows` are remapped by; None as declared.
    """

    signals: Sequence[WristSignal]
    windows: MovementWindows
    axis_map: AxisMap | None = None

    def remapped(self, axis_map: AxisMap) -> "Stretch":
        """The same movement on other axes."""
        return replace(self, windows=self.windows.remapped(axis_map), axis_map=axis_map)

    def on_wrist(self, side: Side) -> "Stretch":
        """The same movement on one wrist, where none is declared."""
        signals = [replace(signal, side=signal.side or side) for signal in self.signals]
        return replace(self, signals=signals, windows=self.windows.on_wrist(side))

    def rungs(self, ladder: Sequence[Rung]) -> tuple[Rung, ...]:
        """The first rung of each level that can read the stretch.

        Where none can, because rotation is missing, the first rung of all: it gives the reason.
        """
        has_rotation = any([s.layout == ACC6 and len(s.wrists[0].x) for s in self.windows.signals])
        by_level: dict[Level, Rung] = {}
        for rung in ladder:
            if has_rotation or rung.model.model_id != ACC6:
                by_level.setdefault(rung.level, rung)
        return tuple(by_level.values()) or tuple(ladder[:1])

    def for_model(self, model: ExerciseModel) -> MovementWindows:
        """The windows as a model reads them: without rotation, where it was trained without."""
        if model.model_id != ACC3 or all(s.layout == ACC3 for s in self.windows.signals):
            return self.windows
        acc_only = window_movement([replace(signal, gyro_rad_s=None) for signal in self.signals])
        return acc_only.remapped(self.axis_map) if self.axis_map else acc_only


def stretch_of(signals: Sequence[WristSignal]) -> Stretch:
    """A stretch with its windows."""
    return Stretch(signals, window_movement(signals))


def name_stretch(stretch: Stretch, ladder: Sequence[Rung]) -> LadderPrediction:
    """Which exercise a stretch of movement is.

    Args:
        stretch: with its windows.
        ladder: one model or more, in the order in which they are tried; the user's own first, and
            within each level the one with rotation first.

    Returns:
        The first prediction that names an exercise, else the first.
    """
    tried: list[LadderPrediction] = []
    for rung in stretch.rungs(ladder):
        prediction = rung.model.predict_movement(stretch.for_model(rung.model))
        tried.append(LadderPrediction(prediction, rung))
        if prediction.reason != UNKNOWN_MOVEMENT:  # what is too short for one is too short for all
            break
    return _select(tried)


def strangeness(model: ExerciseModel, stretch: Stretch) -> float | None:
    """How strange a stretch of movement is to a model; None where it reads none of it."""
    return model.set_strangeness(stretch.for_model(model))


def _select(tried: Sequence[LadderPrediction]) -> LadderPrediction:
    """The last prediction, if it names an exercise, else the first."""
    decided = tried[0] if tried[-1].prediction.abstained else tried[-1]
    predictions = tuple(result.prediction for result in tried)
    return replace(decided, prediction=_abstain_if_degraded(decided), tried=predictions)


def _abstain_if_degraded(result: LadderPrediction) -> Prediction:
    """The prediction; abstained where the samples are degraded and not familiar."""
    prediction = result.prediction
    layout = result.rung.model.model_id if result.rung else ACC6
    for note, (reason, familiar) in DEGRADED.items():
        degraded = note in prediction.notes and not prediction.abstained
        if degraded and (prediction.strangeness or 0.0) >= familiar[layout]:
            return replace(prediction, exercise=None, abstained=True, reason=reason)
    return prediction
