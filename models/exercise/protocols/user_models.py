"""S2 and S3: user models on SPAR, trained on four fifths of the time, and after enrolment.

Settings and temperatures of a person's model are chosen on the other people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from models.exercise.calibrate import HeldOutScores, calibrate, log_loss
from models.exercise.codec import to_bytes
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import USER_CALIBRATION, FitSettings, fit_global, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.predictions import (
    SetPredictions,
    abstained,
    by_person,
    mean,
    predictions_of,
    set_accuracy,
    window_ece,
)
from models.exercise.protocols.trials import (
    Movement,
    evaluation_windows,
    exercises,
    part,
    people,
    training_statistics,
)
from models.exercise.protocols.unseen_people import score_test_sets
from models.exercise.statistics import Statistics, total
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.report import Figure

BLOCKS = 5
CHOICES = tuple(
    FitSettings(shrink=s, mix_s=m) for s, m in product((0.05, 0.1, 0.2), (1.0, 2.0, 4.0))
)


@dataclass(frozen=True, slots=True)
class UserModelProtocol:
    """How user models are evaluated.

    Attributes:
        name: prefix of its figures.
        description: the protocol, for the report.
        mean_name: what the mean of people's window accuracies is called.
    """

    name: str
    description: str
    mean_name: str


S2 = UserModelProtocol(
    "s2",
    "own model, 5 blocks of time, no window over a border, settings on other people",
    "windows",
)
S3 = UserModelProtocol(
    "s3",
    "first 20 % enrolled, last 60 % asked, others' statistics, settings on other people",
    "mean",
)


@dataclass(frozen=True, slots=True)
class ModelTrial:
    """One user model to be fitted and evaluated.

    Attributes:
        person: whose.
        train: statistics of the earlier part (or the other blocks).
        test: windows of the held-out part.
    """

    person: str
    train: Statistics
    test: tuple[LabelledWindows, ...]


@dataclass(frozen=True, slots=True)
class ModelTrialResults:
    """Results of all trials.

    Attributes:
        predictions: of all trials.
        chosen: the settings of each person.
        largest_bytes: of a model.
    """

    predictions: tuple[SetPredictions, ...]
    chosen: tuple[str, ...]
    largest_bytes: int


def user_models(movements: Sequence[Movement], *, model_id: InputLayout = ACC6) -> ProtocolOutcome:
    """S2: every recording in five blocks of time; each is scored by a model of the other four."""
    trials: list[ModelTrial] = []
    for person, sets in people(movements).items():
        blocks = [[part(m, b / BLOCKS, (b + 1) / BLOCKS) for m in sets] for b in range(BLOCKS)]
        statistics = [training_statistics(block) for block in blocks]
        all_blocks = total(statistics)
        trials += [
            ModelTrial(person, all_blocks - own, evaluation_windows(block))
            for block, own in zip(blocks, statistics, strict=True)
        ]
    return _outcome(S2, trials, movements, model_id)


def enrolment(movements: Sequence[Movement], *, model_id: InputLayout = ACC6) -> ProtocolOutcome:
    """S3: the first fifth of each recording is enrolled, the last three fifths are scored."""
    trials = [
        ModelTrial(
            person,
            training_statistics([part(m, 0, 0.2) for m in sets]),
            evaluation_windows([part(m, 0.4, 1) for m in sets]),
        )
        for person, sets in people(movements).items()
    ]
    return _outcome(S3, trials, movements, model_id)


def _outcome(
    protocol: UserModelProtocol,
    trials: Sequence[ModelTrial],
    movements: Sequence[Movement],
    model_id: InputLayout,
) -> ProtocolOutcome:
    """Run every trial and summarise: over people first, then over sets and windows."""
    measured = ProtocolData(SPAR, protocol.description, acc_only=model_id == ACC3)
    results = _evaluate(trials, movements, model_id)
    by_user = by_person(results.predictions).values()
    name = protocol.name
    figures = (
        measured.figure(f"{name}_{protocol.mean_name}", mean(by_user)),
        measured.figure(f"{name}_worst", min(by_user)),
        *_figures(name, results, measured),
    )
    return ProtocolOutcome(figures, exercises(movements), results.predictions, results.chosen)


def _evaluate(
    trials: Sequence[ModelTrial], movements: Sequence[Movement], model_id: InputLayout
) -> ModelTrialResults:
    """Every trial with the settings and the calibration that the other people chose."""
    labels = exercises(movements)
    statistics_of = {p: training_statistics(sets) for p, sets in people(movements).items()}
    all_statistics = total(list(statistics_of.values()))
    fitted_by_settings = [
        [
            _fit_and_score(t, all_statistics - statistics_of[t.person], settings, model_id)
            for t in trials
        ]
        for settings in CHOICES
    ]
    results: list[SetPredictions] = []
    chosen: list[str] = []
    sizes: list[int] = []
    for person in statistics_of:
        best, calibration = _choose_on_others(
            fitted_by_settings, [t.person != person for t in trials]
        )
        settings = CHOICES[best]
        chosen.append(f"{person}: shrink {settings.shrink:g}, mix_s {settings.mix_s:g}")
        for trial, (fitted, held_out) in zip(trials, fitted_by_settings[best], strict=True):
            if trial.person == person:
                model = replace(fitted, calibration=calibration)
                sizes.append(len(to_bytes(model)))
                results.append(predictions_of(person, model, held_out, labels))
    return ModelTrialResults(tuple(results), tuple(chosen), max(sizes))


def _choose_on_others(
    fitted_by_settings: Sequence[Sequence[tuple[ExerciseModel, HeldOutScores]]],
    is_other: Sequence[bool],
) -> tuple[int, Calibration]:
    """The settings with the least log loss on the other people, and their calibration.

    The prior of the others' models contains the test person's statistics: that affects the choice
    of two settings and two temperatures, never the model under test.
    """
    held_out = [
        [h for (_, h), other in zip(row, is_other, strict=True) if other]
        for row in fitted_by_settings
    ]
    calibrations = [calibrate(h, initial=USER_CALIBRATION) for h in held_out]
    losses = [log_loss(h, c.window) for h, c in zip(held_out, calibrations, strict=True)]
    best = int(np.argmin(losses))
    return best, calibrations[best]


def _fit_and_score(
    trial: ModelTrial, all_statistics: Statistics, settings: FitSettings, model_id: InputLayout
) -> tuple[ExerciseModel, HeldOutScores]:
    global_model = fit_global(all_statistics, settings, model_id=model_id)
    model = fit_user(trial.train, global_model, settings, model_id=model_id)
    return model, score_test_sets(model, trial.test)


def _figures(prefix: str, results: ModelTrialResults, measured: ProtocolData) -> tuple[Figure, ...]:
    size = measured.figure(f"{prefix}_model_bytes", results.largest_bytes)
    return (
        measured.figure(f"{prefix}_sets", set_accuracy(results.predictions)),
        measured.figure(f"{prefix}_abstained", abstained(results.predictions)),
        measured.figure(f"{prefix}_ece", window_ece(results.predictions)),
        size,
    )
