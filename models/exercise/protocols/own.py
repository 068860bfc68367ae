"""S2 and S3: a person's own model on SPAR, of four fifths of the time, and of one that enrolled.

Settings and temperatures of a person's model are chosen on the other people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from models.exercise.calibrate import HeldOut, calibrate, log_loss
from models.exercise.codec import to_bytes
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import USER_CALIBRATION, FitSettings, fit_global, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.protocols.answers import (
    SetPredictions,
    abstained,
    answers,
    by_person,
    mean,
    set_accuracy,
    window_ece,
)
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.people import held_by
from models.exercise.protocols.trials import Movement, asked, exercises, learned_of, part, people
from models.exercise.statistics import Statistics, total
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.report import Figure

BLOCKS = 5
CHOICES = tuple(
    FitSettings(shrink=s, mix_s=m) for s, m in product((0.05, 0.1, 0.2), (1.0, 2.0, 4.0))
)
MODEL_BYTES = 20_000  # at most


@dataclass(frozen=True, slots=True)
class OwnProtocol:
    """How own models are asked, and what they must reach.

    Attributes:
        name: with which its figures begin.
        says: the protocol, for the report.
        mean_name: what the mean of people's window accuracies is called.
        least_mean, least_worst: floors of that mean, and of the worst person's accuracy.
    """

    name: str
    says: str
    mean_name: str
    least_mean: float
    least_worst: float


S2 = OwnProtocol(
    "s2",
    "own model, 5 blocks of time, no window over a border, settings on other people",
    "windows",
    least_mean=0.996,
    least_worst=0.985,
)
S3 = OwnProtocol(
    "s3",
    "first 20 % enrolled, last 60 % asked, others' statistics, settings on other people",
    "mean",
    least_mean=0.98,
    least_worst=0.95,
)


@dataclass(frozen=True, slots=True)
class OwnTrial:
    """One own model to be fitted and asked.

    Attributes:
        person: whose.
        learn: statistics of the earlier part (or the other blocks).
        ask: windows of the part that was held out.
    """

    person: str
    learn: Statistics
    ask: tuple[LabelledWindows, ...]


@dataclass(frozen=True, slots=True)
class OwnAnswers:
    """What all trials gave.

    Attributes:
        asked: the answers.
        chosen: the settings of each person.
        largest_bytes: of a model.
    """

    asked: tuple[SetPredictions, ...]
    chosen: tuple[str, ...]
    largest_bytes: int


def own_models(movements: Sequence[Movement], *, model_id: InputLayout = ACC6) -> ProtocolOutcome:
    """S2: every recording in five blocks of time; each is asked with a model of the other four."""
    trials: list[OwnTrial] = []
    for person, sets in people(movements).items():
        blocks = [[part(m, b / BLOCKS, (b + 1) / BLOCKS) for m in sets] for b in range(BLOCKS)]
        statistics = [learned_of(block) for block in blocks]
        whole = total(statistics)
        trials += [
            OwnTrial(person, whole - own, asked(block))
            for block, own in zip(blocks, statistics, strict=True)
        ]
    return _outcome(S2, trials, movements, model_id)


def enrolment(movements: Sequence[Movement], *, model_id: InputLayout = ACC6) -> ProtocolOutcome:
    """S3: the first fifth of each recording is enrolled, the last three fifths are asked."""
    trials = [
        OwnTrial(
            person,
            learned_of([part(m, 0, 0.2) for m in sets]),
            asked([part(m, 0.4, 1) for m in sets]),
        )
        for person, sets in people(movements).items()
    ]
    return _outcome(S3, trials, movements, model_id)


def _outcome(
    protocol: OwnProtocol,
    trials: Sequence[OwnTrial],
    movements: Sequence[Movement],
    model_id: InputLayout,
) -> ProtocolOutcome:
    """Ask every trial, and measure the answers: over people first, then over sets and windows."""
    measured = ProtocolData(SPAR, protocol.says, acc_only=model_id == ACC3)
    found = _ask(trials, movements, model_id)
    per = by_person(found.asked).values()
    name = protocol.name
    figures = (
        measured.at_least(f"{name}_{protocol.mean_name}", mean(per), protocol.least_mean),
        measured.at_least(f"{name}_worst", min(per), protocol.least_worst),
        *_figures(name, found, measured),
    )
    return ProtocolOutcome(figures, exercises(movements), found.asked, found.chosen)


def _ask(
    trials: Sequence[OwnTrial], movements: Sequence[Movement], model_id: InputLayout
) -> OwnAnswers:
    """Every trial with the settings and the calibration that the other people chose."""
    labels = exercises(movements)
    whole = {p: learned_of(sets) for p, sets in people(movements).items()}
    others = total(list(whole.values()))
    tried = [
        [_own_model(t, others - whole[t.person], settings, model_id) for t in trials]
        for settings in CHOICES
    ]
    found: list[SetPredictions] = []
    chosen: list[str] = []
    sizes: list[int] = []
    for person in whole:
        best, calibration = _chosen_elsewhere(tried, [t.person != person for t in trials])
        settings = CHOICES[best]
        chosen.append(f"{person}: shrink {settings.shrink:g}, mix_s {settings.mix_s:g}")
        for trial, (fitted, held) in zip(trials, tried[best], strict=True):
            if trial.person == person:
                model = replace(fitted, calibration=calibration)
                sizes.append(len(to_bytes(model)))
                found.append(answers(person, model, held, labels))
    return OwnAnswers(tuple(found), tuple(chosen), max(sizes))


def _chosen_elsewhere(
    tried: Sequence[Sequence[tuple[ExerciseModel, HeldOut]]], elsewhere: Sequence[bool]
) -> tuple[int, Calibration]:
    """Which settings have the least log loss on the other people, and their calibration.

    The others' models were mixed with everybody's statistics, the asked person's among them: that
    reaches the choice of two settings and two temperatures, never the model that is asked.
    """
    held = [[h for (_, h), other in zip(row, elsewhere, strict=True) if other] for row in tried]
    calibrations = [calibrate(h, before=USER_CALIBRATION) for h in held]
    losses = [log_loss(h, c.window) for h, c in zip(held, calibrations, strict=True)]
    best = int(np.argmin(losses))
    return best, calibrations[best]


def _own_model(
    trial: OwnTrial, others: Statistics, settings: FitSettings, model_id: InputLayout
) -> tuple[ExerciseModel, HeldOut]:
    everybody = fit_global(others, settings, model_id=model_id)
    model = fit_user(trial.learn, everybody, settings, model_id=model_id)
    return model, held_by(model, trial.ask)


def _figures(prefix: str, found: OwnAnswers, measured: ProtocolData) -> tuple[Figure, ...]:
    size = measured.at_most(f"{prefix}_model_bytes", found.largest_bytes, MODEL_BYTES, unit="B")
    return (
        measured.at_least(f"{prefix}_sets", set_accuracy(found.asked)),
        measured.at_least(f"{prefix}_abstained", abstained(found.asked)),
        measured.at_least(f"{prefix}_ece", window_ece(found.asked)),
        size,
    )
