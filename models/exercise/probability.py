"""From scores to probabilities of a window, and from those to probabilities of a set."""

import math
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.softmax import softmax

MIN_PROBABILITY = 1e-6  # no window says never


@dataclass(frozen=True, slots=True)
class Calibration:
    """From scores to calibrated probabilities and abstention, learned on held-out people.

    Attributes:
        window: factor on the scores of one window before softmax.
        whole: factor on the mean log probabilities of a set's windows: how many windows' worth of
            independent evidence a set is.
        known_centre, known_slope: P(known) = 1 / (1 + exp(slope · (n - centre))), where n is the
            novelty of a set.
        abstain_above: novelty of a set from which on the answer is "unknown movement".
        doubt: share of sets whose scores are uninformative, however confident: another day, a wrong
            label. For these all exercises are equally likely.
        hesitation: weight of a set's hesitation, in nats, in its novelty: novelty is mean
            strangeness (log distance to the nearest prototype over that of training windows) plus
            this times the hesitation.
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
        return np.array([self.known(value) for value in novelty.tolist()], dtype=np.float64)


def pool_windows(window_probabilities: Floats64, factor: float) -> Floats64:
    """Probabilities of a set from those of its windows: mean logs times a factor.

    Logs are taken after calibration, so that one odd window cannot outvote the others.

    Args:
        window_probabilities: (m, k), m ≥ 1.
        factor: how many windows' worth of independent evidence a set is.

    >>> pool_windows(np.array([[0.8, 0.2], [0.8, 0.2]]), 1.0).round(3).tolist()
    [0.8, 0.2]
    """
    return softmax(mean_log_probabilities(window_probabilities)[None] * factor)[0]


def mean_log_probabilities(window_probabilities: Floats64) -> Floats64:
    """Mean log probability of every exercise, (k,)."""
    return np.add.reduce(np.log(window_probabilities + MIN_PROBABILITY), axis=0) / len(
        window_probabilities
    )
