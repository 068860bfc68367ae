"""Calibration of probabilities and of abstention on held-out people.

The temperatures of a user model and its abstention threshold are fitted on other people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import fminbound, minimize

from models.arrays import Flags, Floats, Floats64, Ints64
from models.exercise.evaluate import LabelledWindows
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration, mean_log_probabilities
from models.softmax import log_losses, softmax

DEFAULT = Calibration()  # fits are pulled towards these values, which matters with few errors
KNOWN_ACCEPTED = 0.99  # share of known sets below the abstention threshold
NEXT_DAY_MARGIN = 0.15  # another day is stranger than a later minute: seen on eight gym days
PENALTY = 1e-3


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
