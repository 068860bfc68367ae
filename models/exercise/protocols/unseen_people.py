"""S1: unseen people, on SPAR.

Settings and temperatures are chosen inside the training part of each split, by leaving out one
training person at a time.
"""

from collections.abc import Sequence

from models.exercise.calibrate import HeldOutScores, calibrate, score_held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import FitSettings, fit_global
from models.exercise.model import ExerciseModel
from models.exercise.protocols.model_selection import choose_settings
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.predictions import (
    SetPredictions,
    abstained,
    by_person,
    predictions_of,
    set_accuracy,
    window_accuracy,
    window_ece,
)
from models.exercise.protocols.trials import (
    Movement,
    exercises,
    group_data,
    people,
    person_folds,
    total_statistics,
)
from models.exercise.statistics import Statistics
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.report import Figure

CHOICES = tuple(FitSettings(global_shrink=g) for g in (0.05, 0.1, 0.2, 0.3))
PROTOCOL = "unseen people, 5 folds by person, settings by leave one training person out"


def unseen_people(
    movements: Sequence[Movement], *, model_id: InputLayout = ACC6
) -> ProtocolOutcome:
    """People in five groups; each group is scored by a model of the other four."""

    def fit(statistics: Statistics, settings: FitSettings) -> ExerciseModel:
        """A model of four of the groups."""
        return fit_global(statistics, settings, model_id=model_id).model

    data = {p: group_data(sets) for p, sets in people(movements).items()}
    labels = exercises(movements)
    results: list[SetPredictions] = []
    chosen: list[str] = []
    for names in person_folds(list(data)):
        training = {p: d for p, d in data.items() if p not in names}
        settings, held_out = choose_settings(training, CHOICES, fit)
        model = fit_global(
            total_statistics(training), settings, model_id=model_id, calibration=calibrate(held_out)
        ).model
        chosen.append(f"{'+'.join(names)}: global_shrink {settings.global_shrink:g}")
        results += [
            predictions_of(p, model, score_test_sets(model, data[p].evaluation_windows), labels)
            for p in names
        ]
    measured = ProtocolData(SPAR, PROTOCOL, acc_only=model_id == ACC3)
    return ProtocolOutcome(_figures(results, measured), labels, tuple(results), tuple(chosen))


def score_test_sets(model: ExerciseModel, sets: Sequence[LabelledWindows]) -> HeldOutScores:
    """A model's scores of held-out sets.

    Raises:
        ValueError: it knows the exercise of none.
    """
    results = score_held_out(model, sets)
    if results is None:
        raise ValueError("a protocol asks only for exercises that were learned")
    return results


def _figures(results: Sequence[SetPredictions], measured: ProtocolData) -> tuple[Figure, ...]:
    return (
        measured.figure("s1_windows", window_accuracy(results)),
        measured.figure("s1_sets", set_accuracy(results)),
        measured.figure("s1_ece", window_ece(results)),
        measured.figure("s1_worst", min(by_person(results).values())),
        measured.figure("s1_abstained", abstained(results)),
    )
