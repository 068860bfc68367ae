"""Calibration from Muvr's own users: from what was asked when their models were judged.

What ships was learned on SPAR: other devices and other people. As soon as enough users have been
judged on sets that their models had not seen, those answers say more. They replace what ships only
where they would have been the better choice for users who were not asked.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.exercise.calibrate import HeldOut, calibrate, log_loss
from models.exercise.model import Calibration

LEAST_USERS = 20
LEAST_SETS = 200  # the border of the known is a quantile of .99: two sets lie beyond it
FOLDS = 5
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


def thinned(held: HeldOut, most: int = MOST_WINDOWS) -> HeldOut:
    """At most so many windows, evenly; sets that keep none are gone, the others numbered anew."""
    if len(held.truth) <= most:
        return held
    rows = np.linspace(0, len(held.truth) - 1, most).round().astype(np.intp)
    _, set_of = np.unique(held.set_of[rows], return_inverse=True)
    return HeldOut(held.scores[rows], held.truth[rows], set_of, held.strangeness[rows])
