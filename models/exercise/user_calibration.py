"""Recalibration on Muvr's users, and for one user, from held-out scores.

The shipped calibration was learned on SPAR: other devices and other people. Once enough users'
models have been evaluated on held-out sets, those scores give a new calibration. It replaces the
shipped one only where it has the lower log loss in cross-validation over users.

For one user, held-out later sets tell how well the user model transfers to another day. They update
a prior that was learned on eight gym days, weighted by their number.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.arrays import Ints64
from models.exercise.calibrate import (
    HeldOutScores,
    calibrate,
    log_loss,
    set_log_probabilities,
    set_novelty,
)
from models.exercise.probability import Calibration

MIN_USERS = 20
MIN_SETS = 200  # the abstention threshold is a .99 quantile: two sets lie beyond it
FOLDS = 5
PRIOR_DOUBT = 0.08  # share of sets of another gym day that a confident model named wrong
PRIOR_DOUBT_SETS = 40  # weight of that prior, in sets
PRIOR_THRESHOLD_SETS = 10  # weight of the shipped threshold, in sets
THRESHOLD_SIGMAS = 1.65  # standard deviations: 95 % of known sets lie below
MAX_THRESHOLD = 1.0  # of a user with few held-out sets (decision 40)
MAX_WINDOWS = 512  # of a user, so that one who trains every day does not outweigh the others


def calibrate_on_users(
    held_out: Sequence[HeldOutScores], initial: Calibration
) -> Calibration | None:
    """A calibration learned on users.

    Args:
        held_out: scores of each user's model, one per user, in a fixed order.
        initial: the present calibration; it is kept where there are too few sets.

    Returns:
        None with fewer than twenty users, or where in cross-validation over users its log loss is
        not lower than that of `initial`.
    """
    if len(held_out) < MIN_USERS:
        return None
    folds = [
        (held_out[k::FOLDS], [h for j, h in enumerate(held_out) if j % FOLDS != k])
        for k in range(FOLDS)
    ]
    learned = [
        log_loss(validation, calibrate(training, initial=initial).window)
        for validation, training in folds
    ]
    kept = [log_loss(validation, initial.window) for validation, _ in folds]
    if float(np.mean(learned)) >= float(np.mean(kept)):
        return None
    calibration = calibrate(held_out, initial=initial)
    if sum(int(h.set_of.max()) + 1 for h in held_out) < MIN_SETS:
        calibration = replace(calibration, abstain_above=initial.abstain_above)
    return calibration


def calibrate_for_user(initial: Calibration, held_out: HeldOutScores | None) -> Calibration:
    """A user's calibration: that of all users, updated with this user's held-out sets.

    Args:
        initial: of all users.
        held_out: scores of late sets by a model of the early ones; None without late sets.

    >>> prior = calibrate_for_user(Calibration(), None)
    >>> prior.doubt, prior.abstain_above
    (0.08, 1.0)
    """
    if held_out is None:
        threshold = min(initial.abstain_above, MAX_THRESHOLD)
        return replace(initial, doubt=PRIOR_DOUBT, abstain_above=threshold)
    log_probabilities, truth = set_log_probabilities(held_out, initial.window)
    wrong, n = int((log_probabilities.argmax(axis=1) != truth).sum()), len(truth)
    doubt = (wrong + PRIOR_DOUBT * PRIOR_DOUBT_SETS) / (n + PRIOR_DOUBT_SETS)
    return replace(initial, doubt=doubt, abstain_above=_abstention_threshold(initial, held_out, n))


def _abstention_threshold(initial: Calibration, held_out: HeldOutScores, n: int) -> float:
    """A user's abstention threshold: at most that of all users, shrunk towards it with few sets.

    Above `MAX_THRESHOLD` only with enough of the user's own sets.
    """
    novelty = set_novelty(held_out, initial)
    if n < 2:
        return min(initial.abstain_above, MAX_THRESHOLD)
    own = float(novelty.mean() + THRESHOLD_SIGMAS * novelty.std(ddof=1))
    shrunk = (n * own + PRIOR_THRESHOLD_SETS * initial.abstain_above) / (n + PRIOR_THRESHOLD_SETS)
    return min(
        initial.abstain_above,
        shrunk,
        MAX_THRESHOLD if n < PRIOR_THRESHOLD_SETS else max(MAX_THRESHOLD, own),
    )


def subsampled(held_out: HeldOutScores, most: int = MAX_WINDOWS) -> HeldOutScores:
    """Evenly spaced sets of together at most so many windows, renumbered; at least one set.

    Sets stay whole: the mean of all windows of a set is less noisy than that of a few, and
    temperature and threshold are applied to the mean of all.
    """
    if len(held_out.truth) <= most:
        return held_out
    rows = np.isin(held_out.set_of, _evenly_spaced(np.bincount(held_out.set_of), most))
    _, set_of = np.unique(held_out.set_of[rows], return_inverse=True)
    return HeldOutScores(
        held_out.scores[rows], held_out.truth[rows], set_of, held_out.strangeness[rows]
    )


def _evenly_spaced(windows: Ints64, most: int) -> Ints64:
    """Numbers of as many sets, each in the middle of as many stretches, as `most` windows hold.

    >>> _evenly_spaced(np.array([3, 3, 3, 3, 3, 3]), 9).tolist()
    [1, 3, 5]
    """
    for sets in range(len(windows), 0, -1):
        kept = (2 * np.arange(sets) + 1) * len(windows) // (2 * sets)
        if windows[kept].sum() <= most:
            return kept
    return np.array([len(windows) // 2])
