"""Settings chosen inside the training part of a split, by leaving out one piece of it at a time."""

from collections.abc import Callable, Mapping, Sequence

from models.exercise.calibrate import HeldOut, calibrate, held_out, log_loss
from models.exercise.fit import FitSettings
from models.exercise.model import ExerciseModel
from models.exercise.protocols.trials import Taught, all_learned
from models.exercise.statistics import Statistics

Fit = Callable[[Statistics, FitSettings], ExerciseModel]


def choose(
    training: Mapping[str, Taught], choices: Sequence[FitSettings], fit: Fit
) -> tuple[FitSettings, list[HeldOut]]:
    """The settings with the least log loss, and the scores that they gave.

    Args:
        training: people or days, each asked of a model of all others; one of which that model
            knows no exercise is left out.
        choices: of two that are equal the first is taken.
        fit: a model from statistics.
    """
    everything = all_learned(training)

    def scores(settings: FitSettings) -> list[HeldOut]:
        """What models of all others make of each."""
        found = [
            held_out(fit(everything - one.learned, settings), one.asked)
            for one in training.values()
        ]
        return [held for held in found if held is not None]

    tried = [(settings, scores(settings)) for settings in choices]
    return min(tried, key=lambda t: log_loss(t[1], calibrate(t[1]).window))
