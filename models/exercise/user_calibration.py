"""Calibration from Muvr's own users, and of one user: from what was asked when models were judged.

What ships was learned on SPAR: other devices and other people. As soon as enough users have been
judged on sets that their models had not seen, those answers say more. They replace what ships only
where they would have been the better choice for users who were not asked.

One user's later sets say how far this user's model carries to another day, from the first ones on:
they move a prior that was learned on eight gym days, by as much as there are of them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.exercise.calibrate import HeldOut, calibrate, log_loss, novelty_of_sets, sets_of
from models.exercise.probability import Calibration

LEAST_USERS = 20
LEAST_SETS = 200  # the border of the known is a quantile of .99: two sets lie beyond it
FOLDS = 5
USUAL_DOUBT = 0.08  # share of sets of another gym day that a sure model named wrong
DOUBT_SETS = 40  # sets that the usual doubt counts for
BORDER_SETS = 10  # sets that the shipped border of the known counts for
BORDER_SPREAD = 1.65  # standard deviations: 95 % of known sets lie below
FARTHEST = 1.0  # border of the known of a user whose own sets do not say more (decision 40)
MOST_WINDOWS = 256  # of a user: one who trains every day must not outweigh the others


def calibrate_on_users(held: Sequence[HeldOut], before: Calibration) -> Calibration | None:
    """A calibration learned on users.

    Args:
        held: what was asked of each user's model, one per user, in a fixed order.
        before: what serves now; what too few sets say nothing about stays as it is there.

    Returns:
        None where fewer than twenty users were asked, or where for users who were left out it has
        no lower log loss than `before`.
    """
    if len(held) < LEAST_USERS:
        return None
    folds = [
        (held[k::FOLDS], [h for j, h in enumerate(held) if j % FOLDS != k]) for k in range(FOLDS)
    ]
    learned = [log_loss(asked, calibrate(others, before=before).window) for asked, others in folds]
    kept = [log_loss(asked, before.window) for asked, _ in folds]
    if float(np.mean(learned)) >= float(np.mean(kept)):
        return None
    found = calibrate(held, before=before)
    if sum(int(h.set_of.max()) + 1 for h in held) < LEAST_SETS:
        found = replace(found, abstain_above=before.abstain_above)
    return found


def on_one_user(before: Calibration, held: HeldOut | None) -> Calibration:
    """A user's calibration: everybody's, moved by what a model of the early sets said of late ones.

    Args:
        before: everybody's.
        held: what it said; None where there was no late set.

    >>> on_one_user(Calibration(), None).doubt, on_one_user(Calibration(), None).abstain_above
    (0.08, 1.0)
    """
    if held is None:
        nearest = min(before.abstain_above, FARTHEST)
        return replace(before, doubt=USUAL_DOUBT, abstain_above=nearest)
    means, truth = sets_of(held, before.window)
    wrong, n = int((means.argmax(axis=1) != truth).sum()), len(truth)
    doubt = (wrong + USUAL_DOUBT * DOUBT_SETS) / (n + DOUBT_SETS)
    return replace(before, doubt=doubt, abstain_above=_border(before, held, n))


def _border(before: Calibration, held: HeldOut, n: int) -> float:
    """Where the unknown begins: never later than for everybody, and hardly moved by a few sets.

    Beyond `FARTHEST` only where as many of the user's own sets say so.
    """
    novelty = novelty_of_sets(held, before)
    if n < 2:
        return min(before.abstain_above, FARTHEST)
    own = float(novelty.mean() + BORDER_SPREAD * novelty.std(ddof=1))
    found = (n * own + BORDER_SETS * before.abstain_above) / (n + BORDER_SETS)
    return min(before.abstain_above, found, FARTHEST if n < BORDER_SETS else max(FARTHEST, own))


def thinned(held: HeldOut, most: int = MOST_WINDOWS) -> HeldOut:
    """At most so many windows, evenly; sets that keep none are gone, the others numbered anew."""
    if len(held.truth) <= most:
        return held
    rows = np.linspace(0, len(held.truth) - 1, most).round().astype(np.intp)
    _, set_of = np.unique(held.set_of[rows], return_inverse=True)
    return HeldOut(held.scores[rows], held.truth[rows], set_of, held.strangeness[rows])
