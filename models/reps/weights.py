"""Three weights of the counter that recordings decide, and the choice among their values."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from models.arrays import Flags, Floats64, Indices
from models.reps.borders import bounds
from models.reps.count import SETTINGS
from models.reps.examples import Explained
from models.reps.settings import RepsSettings

VARIATION_WEIGHTS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
PERIOD_WEIGHTS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14)
PARTIAL_SHARES = (0.4, 0.45, 0.5, 0.55, 0.6)

Cell = tuple[int, int, int]
"""The place of a choice in the three tuples above."""


def weights_at(cell: Cell) -> RepsSettings:
    """The settings of one cell of the grid of weights."""
    return replace(
        SETTINGS,
        variation_weight=VARIATION_WEIGHTS[cell[0]],
        period_weight=PERIOD_WEIGHTS[cell[1]],
        partial_share=PARTIAL_SHARES[cell[2]],
    )


def errors_by_weights(rows: Sequence[Explained]) -> Indices:
    """(variations, periods, partials, sets) counted minus believed repetitions."""
    shape = (len(VARIATION_WEIGHTS), len(PERIOD_WEIGHTS), len(PARTIAL_SHARES))
    out = np.zeros((*shape, len(rows)), dtype=np.intp)
    out -= np.array([r.labelled.reps for r in rows])
    for k, part in ((k, part) for k, r in enumerate(rows) for part in r.parts if part):
        counts = np.array(
            [[len(bounds(e, weights_at((0, 0, h))).spans) for e in part] for h in range(shape[2])]
        )
        for v, p in product(range(shape[0]), range(shape[1])):
            scores = [e.score(weights_at((v, p, 0))) for e in part]
            out[v, p, :, k] += counts[:, int(np.argmax(scores))]
    return out


def merits(errors: Indices, rows: Sequence[Explained], used: Flags) -> Floats64:
    """What a choice maximises, for every cell: exact plus twice within one.

    Every source, with and without rotation, weighs the same. One without a used set says nothing.

    Args:
        errors: (variations, periods, partials, sets) counted minus believed repetitions.
        rows: the sets, in that order.
        used: (sets,) those that are looked at.

    Returns:
        (variations, periods, partials), 0 to 3; zeros where no set is used.
    """
    kinds = sorted({r.kind for r, is_used in zip(rows, used, strict=True) if is_used})
    total = np.zeros(errors.shape[:3])
    for kind in kinds:
        mine = used & np.array([r.kind == kind for r in rows])
        e = np.abs(errors[..., mine])
        total += (e == 0).mean(axis=-1) + 2 * (e <= 1).mean(axis=-1)
    return total / max(len(kinds), 1)


def best_cell(merit: Floats64) -> Cell:
    """The middle of the best plateau: each cell counts as the mean of itself and its neighbours.

    >>> lone = np.zeros((6, 7, 5)); lone[0, 0, 0] = 1.0; lone[3:6, 3:6, 1:4] = 0.9
    >>> best_cell(lone)
    (4, 4, 2)
    """
    smooth = np.zeros_like(merit)
    for cell in np.ndindex(merit.shape):
        around = tuple(slice(max(0, c - 1), c + 2) for c in cell)
        smooth[cell] = merit[around].mean()
    v, p, h = np.unravel_index(int(np.argmax(smooth)), merit.shape)
    return int(v), int(p), int(h)
