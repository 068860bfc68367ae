"""Model selection inside the training part of a split, by leaving out one group at a time."""

from collections.abc import Callable, Mapping, Sequence

from models.exercise.calibrate import HeldOutScores, calibrate, log_loss, score_held_out
from models.exercise.fit import FitSettings
from models.exercise.model import ExerciseModel
from models.exercise.protocols.trials import GroupData, total_statistics
from models.exercise.statistics import Statistics
from schemas.errors import NotEnoughLabels

Fit = Callable[[Statistics, FitSettings], ExerciseModel]


def choose_settings(
    training: Mapping[str, GroupData], choices: Sequence[FitSettings], fit: Fit
) -> tuple[FitSettings, list[HeldOutScores]]:
    """The settings with the least log loss in cross-validation, and their held-out scores.

    Args:
        training: groups (people or days), each scored by a model of all others; a group without
            an exercise that this model knows is left out, and so is one whose others are not
            enough for a model.
        choices: settings to try; of equal ones the first wins, and it wins without held-out scores
            where no group can be scored.
        fit: a model from statistics.

    Raises:
        NotEnoughLabels: there is no group.
    """
    all_statistics = total_statistics(training)

    def scores(settings: FitSettings) -> list[HeldOutScores]:
        """Scores of each group by a model of all others."""
        results = [
            _score(group, lambda others: fit(others, settings), all_statistics)
            for group in training.values()
        ]
        return [held_out for held_out in results if held_out is not None]

    scored = [(settings, scores(settings)) for settings in choices]
    if not any(held_out for _, held_out in scored):
        return scored[0]
    return min(scored, key=lambda t: log_loss(t[1], calibrate(t[1]).window))


def _score(
    group: GroupData, fit: Callable[[Statistics], ExerciseModel], all_statistics: Statistics
) -> HeldOutScores | None:
    """Scores of a group by a model of all others; None without such a model or a set it knows."""
    try:
        model = fit(all_statistics - group.statistics)
    except NotEnoughLabels:
        return None
    return score_held_out(model, group.evaluation_windows)
