"""Model selection inside the training part of a split, by leaving out one group at a time."""

from collections.abc import Callable, Mapping, Sequence

from models.exercise.calibrate import HeldOutScores, calibrate, log_loss, score_held_out
from models.exercise.fit import FitSettings
from models.exercise.model import ExerciseModel
from models.exercise.protocols.trials import GroupData, total_statistics
from models.exercise.statistics import Statistics

Fit = Callable[[Statistics, FitSettings], ExerciseModel]


def choose_settings(
    training: Mapping[str, GroupData], choices: Sequence[FitSettings], fit: Fit
) -> tuple[FitSettings, list[HeldOutScores]]:
    """The settings with the least log loss in cross-validation, and their held-out scores.

    Args:
        training: groups (people or days), each scored by a model of all others; a group without
            an exercise that this model knows is left out.
        choices: settings to try; of equal ones the first wins.
        fit: a model from statistics.
    """
    all_statistics = total_statistics(training)

    def scores(settings: FitSettings) -> list[HeldOutScores]:
        """Scores of each group by a model of all others."""
        results = [
            score_held_out(
                fit(all_statistics - group.statistics, settings), group.evaluation_windows
            )
            for group in training.values()
        ]
        return [held_out for held_out in results if held_out is not None]

    scored = [(settings, scores(settings)) for settings in choices]
    return min(scored, key=lambda t: log_loss(t[1], calibrate(t[1]).window))
