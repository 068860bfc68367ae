"""S1: people who were never seen, on SPAR.

Settings and temperatures are chosen inside the training part of each split, by leaving out one
training person at a time.
"""

from collections.abc import Sequence

from models.exercise.calibrate import HeldOut, calibrate, held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import FitSettings, fit_global
from models.exercise.model import ExerciseModel
from models.exercise.protocols.answers import (
    SetPredictions,
    abstained,
    answers,
    by_person,
    set_accuracy,
    window_accuracy,
    window_ece,
)
from models.exercise.protocols.choosing import choose
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.trials import (
    Movement,
    all_learned,
    exercises,
    people,
    person_folds,
    taught,
)
from models.exercise.statistics import Statistics
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.report import Figure

CHOICES = tuple(FitSettings(global_shrink=g) for g in (0.05, 0.1, 0.2, 0.3))
PROTOCOL = "unseen people, 5 folds by person, settings by leave one training person out"


def unseen_people(
    movements: Sequence[Movement], *, model_id: InputLayout = ACC6
) -> ProtocolOutcome:
    """People in five groups; each group is asked with a model of the other four."""

    def fit(statistics: Statistics, settings: FitSettings) -> ExerciseModel:
        return fit_global(statistics, settings, model_id=model_id).model

    data = {p: taught(sets) for p, sets in people(movements).items()}
    labels = exercises(movements)
    found: list[SetPredictions] = []
    chosen: list[str] = []
    for names in person_folds(list(data)):
        training = {p: d for p, d in data.items() if p not in names}
        settings, held = choose(training, CHOICES, fit)
        model = fit_global(
            all_learned(training), settings, model_id=model_id, calibration=calibrate(held)
        ).model
        chosen.append(f"{'+'.join(names)}: global_shrink {settings.global_shrink:g}")
        found += [answers(p, model, held_by(model, data[p].asked), labels) for p in names]
    measured = ProtocolData(SPAR, PROTOCOL, acc_only=model_id == ACC3)
    return ProtocolOutcome(_figures(found, measured), labels, tuple(found), tuple(chosen))


def held_by(model: ExerciseModel, sets: Sequence[LabelledWindows]) -> HeldOut:
    """A model's scores of held-out sets.

    Raises:
        ValueError: it knows the exercise of none.
    """
    found = held_out(model, sets)
    if found is None:
        raise ValueError("a protocol asks only for exercises that were learned")
    return found


def _figures(found: Sequence[SetPredictions], measured: ProtocolData) -> tuple[Figure, ...]:
    return (
        measured.at_least("s1_windows", window_accuracy(found), 0.92),
        measured.at_least("s1_sets", set_accuracy(found), 0.955),
        measured.at_most("s1_ece", window_ece(found), 0.03),
        measured.at_least("s1_worst", min(by_person(found).values())),
        measured.at_least("s1_abstained", abstained(found)),
    )
