"""From scores to probabilities of a window, and from those to what a whole set says."""

import math
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.softmax import softmax

LEAST = 1e-6  # no window says never


@dataclass(frozen=True, slots=True)
class Calibration:
    """What other people's held-out windows taught about how far scores can be trusted.

    Attributes:
        window: factor on the scores of one window before softmax.
        whole: factor on the mean log probabilities of a set's windows: how many of them are news.
        known_centre, known_slope: P(known) = 1 / (1 + exp(slope · (n - centre))), where n is the
            novelty of a set.
        abstain_above: novelty of a set from which on the answer is "unknown movement".
        doubt: share of sets of which scores say nothing, however sure they look: another day, a
            label that slipped. There each exercise is as likely as any other.
        hesitation: what a nat of a set's hesitation adds to its mean strangeness (log of the
            distance to the nearest prototype over what training windows have): its novelty.
            0 in bytes that are older than it: they answer as they did.
    """

    window: float = 0.3
    whole: float = 2.0
    known_centre: float = 0.85
    known_slope: float = 5.3
    abstain_above: float = 1.3
    doubt: float = 0.0
    hesitation: float = 0.0

    def known(self, novelty: float) -> float:
        """P(known) for the novelty of a set, or of a window.

        >>> Calibration(known_centre=0.5).known(0.5)
        0.5
        """
        off = self.known_slope * (novelty - self.known_centre)
        return 1 / (1 + math.exp(min(max(off, -30), 30)))

    def known_of_each(self, novelty: Floats64) -> Floats64:
        """P(known) for each novelty (n,), float64 (n,)."""
        return np.array([self.known(one) for one in novelty.tolist()], dtype=np.float64)


def whole_set(each: Floats64, factor: float) -> Floats64:
    """Probabilities of a set from those of its windows: mean logs times a factor.

    Logs are taken after calibration, so that one odd window cannot outvote the others.

    Args:
        each: (m, k), m ≥ 1.
        factor: how many windows' worth of independent evidence a set is.

    >>> whole_set(np.array([[0.8, 0.2], [0.8, 0.2]]), 1.0).round(3).tolist()
    [0.8, 0.2]
    """
    return softmax(mean_log(each)[None] * factor)[0]


def mean_log(each: Floats64) -> Floats64:
    """Mean log probability of every exercise, (k,)."""
    return np.add.reduce(np.log(each + LEAST), axis=0) / len(each)


def hesitation(each: Floats64) -> float:
    """Mean -log probability of each window's likeliest exercise: 0 where all are sure.

    Args:
        each: (m, k), m ≥ 1.

    >>> round(hesitation(np.array([[0.5, 0.5], [0.25, 0.75]])), 3)
    0.49
    """
    return -float(np.add.reduce(np.log(each.max(axis=1)))) / len(each)
