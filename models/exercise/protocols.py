"""Recognition protocols on SPAR: unseen people, own models, enrolment (S1, S2, S3).

Every choice (settings, temperatures) is made inside the training part of its split: for unseen
people by leaving out one training person at a time, for own models on the other people.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from models.exercise.calibrate import HeldOut, calibrate, held_out, log_loss
from models.exercise.codec import to_bytes
from models.exercise.evaluate import LabelledWindows
from models.exercise.figures import (
    Asked,
    Outcome,
    abstained,
    answers,
    by_person,
    set_accuracy,
    window_accuracy,
    window_ece,
)
from models.exercise.fit import OWN_CALIBRATION, FitSettings, fit_global, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.statistics import Statistics, total
from models.exercise.trials import Movement, asked, learned_of, part, people
from schemas.inputs import ACC6, InputLayout
from schemas.report import Figure

SPAR = "SPAR-10"
FOLDS = 5
GLOBAL_CHOICES = tuple(FitSettings(global_shrink=g) for g in (0.05, 0.1, 0.2, 0.3))
OWN_CHOICES = tuple(
    FitSettings(shrink=s, mix_s=m) for s, m in product((0.05, 0.1, 0.2), (1.0, 2.0, 4.0))
)


def unseen_people(movements: Sequence[Movement], *, model_id: InputLayout = ACC6) -> Outcome:
    """S1: people in five groups; each group is asked with a model of the other four."""
    data = {p: (learned_of(sets), asked(sets)) for p, sets in people(movements).items()}
    labels = tuple(sorted({m.exercise for m in movements}))
    found: list[Asked] = []
    chosen: list[str] = []
    for names in person_folds(list(data)):
        training = {p: d for p, d in data.items() if p not in names}
        settings, held = _choose_global(training, model_id)
        everybody = total([statistics for statistics, _ in training.values()])
        model = fit_global(
            everybody, settings, model_id=model_id, calibration=calibrate(held)
        ).model
        chosen.append(f"{'+'.join(names)}: global_shrink {settings.global_shrink:g}")
        found += [answers(p, model, _held(model, data[p][1]), labels) for p in names]
    protocol = "unseen people, 5 folds by person, settings by leave one training person out"
    floors = (0.92, 0.955, 0.03) if model_id == ACC6 else (None, None, None)
    return Outcome(
        _s1_figures(found, floors, protocol, model_id), labels, tuple(found), tuple(chosen)
    )


def person_folds(names: Sequence[str]) -> list[list[str]]:
    """Five groups of people, taken in turn.

    >>> person_folds(["a", "b", "c", "d", "e", "f"])[0]
    ['a', 'f']
    """
    return [list(names[k::FOLDS]) for k in range(min(FOLDS, len(names)))]


def _choose_global(
    training: dict[str, tuple[Statistics, tuple[LabelledWindows, ...]]], model_id: InputLayout
) -> tuple[FitSettings, list[HeldOut]]:
    """Settings with the least log loss on people left out one by one, and those scores."""
    everybody = total([statistics for statistics, _ in training.values()])

    def scores(settings: FitSettings) -> list[HeldOut]:
        return [
            _held(fit_global(everybody - own, settings, model_id=model_id).model, sets)
            for own, sets in training.values()
        ]

    tried = [(settings, scores(settings)) for settings in GLOBAL_CHOICES]
    return min(tried, key=lambda t: log_loss(t[1], calibrate(t[1]).window))


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


def own_models(movements: Sequence[Movement], *, model_id: InputLayout = ACC6) -> Outcome:
    """S2: every recording in five blocks of time; each is asked with a model of the other four."""
    trials: list[OwnTrial] = []
    for person, sets in people(movements).items():
        blocks = [[part(m, b / FOLDS, (b + 1) / FOLDS) for m in sets] for b in range(FOLDS)]
        statistics = [learned_of(block) for block in blocks]
        whole = total(statistics)
        trials += [
            OwnTrial(person, whole - own, asked(block))
            for block, own in zip(blocks, statistics, strict=True)
        ]
    protocol = "own model, 5 blocks of time, no window over a border, settings on other people"
    floors = (0.996, 0.985) if model_id == ACC6 else (None, None)
    return _ask_own(trials, movements, "s2", ("windows", "worst"), floors, protocol, model_id)


def enrolment(movements: Sequence[Movement], *, model_id: InputLayout = ACC6) -> Outcome:
    """S3: the first fifth of each recording is enrolled, the last three fifths are asked."""
    trials = [
        OwnTrial(
            person,
            learned_of([part(m, 0, 0.2) for m in sets]),
            asked([part(m, 0.4, 1) for m in sets]),
        )
        for person, sets in people(movements).items()
    ]
    protocol = "first 20 % enrolled, last 60 % asked, others' statistics, settings on other people"
    floors = (0.98, 0.95) if model_id == ACC6 else (None, None)
    return _ask_own(trials, movements, "s3", ("mean", "worst"), floors, protocol, model_id)


def _ask_own(
    trials: Sequence[OwnTrial],
    movements: Sequence[Movement],
    prefix: str,
    names: tuple[str, str],
    floors: tuple[float | None, float | None],
    protocol: str,
    model_id: InputLayout,
) -> Outcome:
    """Every trial with the settings and the calibration that the other people chose."""
    labels = tuple(sorted({m.exercise for m in movements}))
    whole = {p: learned_of(sets) for p, sets in people(movements).items()}
    others = total(list(whole.values()))
    tried = [
        [_own_model(t, others - whole[t.person], settings, model_id) for t in trials]
        for settings in OWN_CHOICES
    ]
    found: list[Asked] = []
    chosen: list[str] = []
    sizes: list[int] = []
    for person in whole:
        best, calibration = _chosen_elsewhere(tried, [t.person != person for t in trials])
        settings = OWN_CHOICES[best]
        chosen.append(f"{person}: shrink {settings.shrink:g}, mix_s {settings.mix_s:g}")
        for trial, (fitted, held) in zip(trials, tried[best], strict=True):
            if trial.person == person:
                model = replace(fitted, calibration=calibration)
                sizes.append(len(to_bytes(model)))
                found.append(answers(person, model, held, labels))
    figures = _own_figures(found, max(sizes), prefix, names, floors, protocol, model_id)
    return Outcome(figures, labels, tuple(found), tuple(chosen))


def _chosen_elsewhere(
    tried: Sequence[Sequence[tuple[ExerciseModel, HeldOut]]], elsewhere: Sequence[bool]
) -> tuple[int, Calibration]:
    """Which settings have the least log loss on the other people, and their calibration.

    The others' models were mixed with everybody's statistics, the asked person's among them: that
    reaches the choice of two settings and two temperatures, never the model that is asked.
    """
    held = [[h for (_, h), other in zip(row, elsewhere, strict=True) if other] for row in tried]
    calibrations = [calibrate(h, before=OWN_CALIBRATION) for h in held]
    losses = [log_loss(h, c.window) for h, c in zip(held, calibrations, strict=True)]
    best = int(np.argmin(losses))
    return best, calibrations[best]


def _own_figures(
    found: Sequence[Asked],
    largest: int,
    prefix: str,
    names: tuple[str, str],
    floors: tuple[float | None, float | None],
    protocol: str,
    model_id: InputLayout,
) -> tuple[Figure, ...]:
    per = by_person(found).values()
    share = _maker("", SPAR, protocol, model_id)
    size = _maker("B", SPAR, protocol, model_id)
    size_floor = 20_000 if model_id == ACC6 else None
    return (
        share(f"{prefix}_{names[0]}", float(np.mean(list(per))), floors[0]),
        share(f"{prefix}_{names[1]}", min(per), floors[1]),
        share(f"{prefix}_sets", set_accuracy(found), None),
        share(f"{prefix}_abstained", abstained(found), None),
        share(f"{prefix}_ece", window_ece(found), None),
        size(f"{prefix}_model_bytes", largest, size_floor, at_most=True),
    )


def _own_model(
    trial: OwnTrial, others: Statistics, settings: FitSettings, model_id: InputLayout
) -> tuple[ExerciseModel, HeldOut]:
    everybody = fit_global(others, settings, model_id=model_id)
    model = fit_user(trial.learn, everybody, settings, model_id=model_id)
    return model, _held(model, trial.ask)


def _held(model: ExerciseModel, sets: tuple[LabelledWindows, ...]) -> HeldOut:
    found = held_out(model, sets)
    if found is None:
        raise ValueError("a protocol asks only for exercises that were learned")
    return found


def _s1_figures(
    found: list[Asked],
    floors: tuple[float | None, float | None, float | None],
    protocol: str,
    model_id: InputLayout,
) -> tuple[Figure, ...]:
    share = _maker("", SPAR, protocol, model_id)
    return (
        share("s1_windows", window_accuracy(found), floors[0]),
        share("s1_sets", set_accuracy(found), floors[1]),
        share("s1_ece", window_ece(found), floors[2], at_most=True),
        share("s1_worst", min(by_person(found).values()), None),
        share("s1_abstained", abstained(found), None),
    )


def _named(name: str, model_id: InputLayout) -> str:
    return name if model_id == ACC6 else f"{name}_acc_only"


def _maker(unit: str, data: str, protocol: str, model_id: InputLayout) -> Callable[..., Figure]:
    def make(name: str, value: float, floor: float | None, *, at_most: bool = False) -> Figure:
        """A figure; `at_most` makes the floor a ceiling, and without one nothing is demanded."""
        return Figure(
            _named(name, model_id),
            value,
            unit,
            floor=floor,
            ceiling=at_most,
            data=data,
            protocol=protocol,
        )

    return make
