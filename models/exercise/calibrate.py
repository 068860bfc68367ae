"""Calibration of probabilities and of abstention on held-out people.

The temperatures of a user model and its abstention threshold are fitted on other people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import fminbound, minimize

from models.arrays import Flags, Floats, Floats64, Ints64
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import (
    USER_CALIBRATION,
    FitSettings,
    GlobalModel,
    fit_global,
    fit_user,
)
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration, mean_log_probabilities
from models.exercise.statistics import Statistics, total
from models.softmax import log_losses, softmax
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6, InputLayout

DEFAULT = Calibration()  # fits are pulled towards these values, which matters with few errors
KNOWN_ACCEPTED = 0.99  # share of known sets below the abstention threshold
NEXT_DAY_MARGIN = 0.15  # another day is stranger than a later minute: seen on eight gym days
PENALTY = 1e-3


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The statistics of one labelled set."""

    exercise: str
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class UserSplit:
    """One person's sets, split in time.

    Attributes:
        train: the earlier part.
        test: the later part, disjoint from `train`.
    """

    train: tuple[TrainingSet, ...]
    test: tuple[LabelledWindows, ...]


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """Scores of sets that the model was not trained on.

    Attributes:
        scores: (m, k), of all windows.
        truth: int64 (m,), index of the true exercise.
        set_of: int64 (m,), number of the set that a window belongs to, 0, 1, 2, ...
        strangeness: (m,).
    """

    scores: Floats64
    truth: Ints64
    set_of: Ints64
    strangeness: Floats64

    def windows_of_sets(self) -> list[Flags]:
        """A mask of its windows, bool (m,), for every set, in order."""
        return [self.set_of == s for s in range(self.set_of.max() + 1)]


def score_held_out(model: ExerciseModel, sets: Sequence[LabelledWindows]) -> HeldOutScores | None:
    """Scores of held-out sets whose exercise the model knows; None if there is none."""
    known = [s for s in sets if s.exercise in model.labels and len(s.x)]
    if not known:
        return None
    x = np.concatenate([s.x for s in known])
    lengths = [len(s.x) for s in known]
    return HeldOutScores(
        scores=model.scores(x).astype(np.float64),
        truth=np.repeat([model.labels.index(s.exercise) for s in known], lengths),
        set_of=np.repeat(np.arange(len(known)), lengths),
        strangeness=model.strangeness(x).astype(np.float64),
    )


def score_unknown(model: ExerciseModel, x: Floats) -> HeldOutScores:
    """Scores of windows (m, d) of one set whose exercise the model does not know.

    `truth` holds the most likely exercise of each window, as there is no true one.
    """
    scores = model.scores(x).astype(np.float64)
    one_set = np.zeros(len(x), dtype=np.int64)
    return HeldOutScores(
        scores, scores.argmax(axis=1), one_set, model.strangeness(x).astype(np.float64)
    )


def log_loss(held_out: Sequence[HeldOutScores], factor: float) -> float:
    """Mean -log probability of the truth over all windows."""
    losses = [log_losses(h.scores * factor, h.truth) for h in held_out]
    return float(np.concatenate(losses).mean())


def calibrate(
    held_out: Sequence[HeldOutScores],
    unknown: Sequence[HeldOutScores] = (),
    *,
    initial: Calibration | None = None,
) -> Calibration:
    """Fit temperatures, the abstention threshold and P(known).

    Args:
        held_out: known movement, one per model.
        unknown: movement of exercises that the model does not know, one per set (`score_unknown`);
            without it slope and centre of P(known) stay as they are.
        initial: what the other fields are taken from.
    """
    calibration = initial or Calibration()
    if not held_out:
        return calibration
    window = _factor([(h.scores, h.truth) for h in held_out], DEFAULT.window)
    whole = [set_log_probabilities(h, window) for h in held_out]
    calibration = replace(calibration, window=window, whole=_factor(whole, DEFAULT.whole))
    novelty = np.concatenate([set_novelty(h, calibration) for h in held_out])
    calibration = replace(
        calibration, abstain_above=float(np.quantile(novelty, KNOWN_ACCEPTED)) + NEXT_DAY_MARGIN
    )
    if unknown:
        known_novelty, unknown_novelty = (
            np.concatenate([window_novelty(h, calibration) for h in several])
            for several in (held_out, unknown)
        )
        slope, centre = _logistic(known_novelty, unknown_novelty)
        calibration = replace(calibration, known_slope=slope, known_centre=centre)
    return calibration


def fit_calibrations(
    people: Sequence[UserSplit],
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    leave_out_exercises: bool = True,
) -> tuple[Calibration, Calibration]:
    """Calibrations for the global model and for user models, leaving one person out at a time.

    Each person's test part is scored by a global model of the others, and by a user model of the
    person's training part with the others as the prior. With `leave_out_exercises` each exercise is
    also left out of all training data in turn and scored as unknown movement.

    Args:
        people: a sample of 5 to 50 is enough; the cost is two fits per person and exercise.
        settings: how models are fitted.
        model_id: the layout.
        leave_out_exercises: False saves most of the time and keeps P(known) as it is.
    """
    settings = settings or FitSettings()
    training_statistics = [total([s.statistics for s in p.train]) for p in people if p.train]
    people = [p for p in people if p.train]
    if len(people) < 2:
        return Calibration(), Calibration()
    total_statistics = total(training_statistics)
    known_scores: tuple[list[HeldOutScores], list[HeldOutScores]] = ([], [])
    unknown_scores: tuple[list[HeldOutScores], list[HeldOutScores]] = ([], [])
    for person, own_statistics in zip(people, training_statistics, strict=True):
        others = total_statistics - own_statistics
        for k, model in enumerate(_fit_levels(own_statistics, others, settings, model_id)):
            held_out = model and score_held_out(model, person.test)
            if held_out:
                known_scores[k].append(held_out)
        for exercise in own_statistics.labels if leave_out_exercises else ():
            test_sets = [s.x for s in person.test if s.exercise == exercise and len(s.x)]
            reduced = _statistics_without(people, exercise)
            own_reduced = _statistics_without([person], exercise)
            if not (test_sets and own_reduced):
                continue
            rest = None if reduced is None else reduced - own_reduced
            for k, model in enumerate(_fit_levels(own_reduced, rest, settings, model_id)):
                if model:
                    unknown_scores[k].append(score_unknown(model, np.concatenate(test_sets)))
    user_calibration = calibrate(known_scores[1], unknown_scores[1], initial=USER_CALIBRATION)
    return calibrate(known_scores[0], unknown_scores[0]), user_calibration


def _fit_levels(
    own_statistics: Statistics,
    others: Statistics | None,
    settings: FitSettings,
    model_id: InputLayout,
) -> tuple[ExerciseModel | None, ExerciseModel | None]:
    """(global model without this person, the person's user model); None where data is too thin."""
    global_model: GlobalModel | None = None
    if others is not None and others.groups:
        try:
            global_model = fit_global(others, settings, model_id=model_id)
        except NotEnoughLabels:
            global_model = None
    try:
        user = fit_user(own_statistics, global_model, settings, model_id=model_id)
    except NotEnoughLabels:
        user = None
    return (global_model.model if global_model else None), user


def _statistics_without(people: Sequence[UserSplit], exercise: str) -> Statistics | None:
    """The training statistics of these people without one exercise; None if nothing is left."""
    kept = [s.statistics for p in people for s in p.train if s.exercise != exercise]
    return total(kept) if kept else None


def _factor(scored: Sequence[tuple[Floats64, Ints64]], usual: float) -> float:
    """The factor with the least log loss of all scores, within 1/20 to 20 × the usual."""

    def loss(log_factor: float) -> float:
        """Mean log loss over all scores, with a penalty on factors far from the usual one."""
        factor = float(np.exp(log_factor))
        parts = [log_losses(scores * factor, truth) for scores, truth in scored]
        unusual = (log_factor - np.log(usual)) ** 2
        return float(np.concatenate(parts).mean() + PENALTY * unusual)

    return float(np.exp(fminbound(loss, np.log(usual / 20), np.log(usual * 20))))


def set_log_probabilities(held_out: HeldOutScores, window: float) -> tuple[Floats64, Ints64]:
    """Mean log probabilities (s, k) and truth (s,) of every set."""
    each = softmax(held_out.scores * window)
    sets = held_out.windows_of_sets()
    truth = np.array([held_out.truth[s][0] for s in sets])
    return np.array([mean_log_probabilities(each[s]) for s in sets]), truth


def window_novelty(held_out: HeldOutScores, calibration: Calibration) -> Floats64:
    """The contribution of every window to the novelty of its set, (m,)."""
    likeliest = held_out.scores.argmax(axis=1)
    hesitation = log_losses(held_out.scores * calibration.window, likeliest)
    return held_out.strangeness + calibration.hesitation * hesitation


def set_novelty(held_out: HeldOutScores, calibration: Calibration) -> Floats64:
    """The novelty of every set, (s,), as of `ExerciseModel.novelty`."""
    return set_means(window_novelty(held_out, calibration), held_out.set_of)


def set_means(values: Floats64, set_of: Ints64) -> Floats64:
    """The mean of every set's windows, (s,)."""
    return np.bincount(set_of, weights=values) / np.bincount(set_of)


def _logistic(known: Floats64, unknown: Floats64) -> tuple[float, float]:
    """Slope and centre of P(known) over novelty, both classes weighing the same."""

    def loss(parameters: Floats64) -> float:
        """At (slope, centre): the mean log losses of both classes, and a penalty on the slope."""
        slope, centre = parameters
        wrong_known = np.logaddexp(0, slope * (known - centre)).mean()
        wrong_unknown = np.logaddexp(0, -slope * (unknown - centre)).mean()
        return float(wrong_known + wrong_unknown + PENALTY * slope**2)

    start = np.array([4.0, (known.mean() + unknown.mean()) / 2])
    slope, centre = minimize(loss, start, method="Nelder-Mead").x
    return float(max(slope, 0.1)), float(centre)
