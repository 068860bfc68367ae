"""What a set looks like if a repetition lasts about so long: template, copies, quality."""

import math
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.reps.prepare import Prepared
from models.reps.settings import RepsSettings
from models.reps.template import Grid, grid, phase_template
from models.reps.tiling import Board, Tiling, board_of, idle_costs, refitted, resting, tile

INNER_SHARES = (1 / 2, 1 / 3)
INNER_WITHIN = 0.15


@dataclass(frozen=True, slots=True)
class Explanation:
    """A set covered by copies of a template of about one period.

    Attributes:
        period_s: the period the grid is made for.
        grid: the set on that grid.
        template: (points, k) one repetition.
        tiling: where the copies lie; at least one.
        fit: adjusted share of variance inside the copies that they explain.
        coverage: share of the set inside copies or at rest between them.
        variation: standard deviation of the logarithm of the copies' lengths.
        inner_likeness: how well the set repeats at a half or a third of the copies' spacing.
    """

    period_s: float
    grid: Grid
    template: Floats64
    tiling: Tiling
    fit: float
    coverage: float
    variation: float
    inner_likeness: float

    def score(self, settings: RepsSettings) -> float:
        """How well this explains the set, comparable between periods; higher is better.

        Twice the true period explains a set about as well with half the copies, so long
        periods pay a little, and copies that hold the same movement twice or thrice pay for it;
        half the true period does it with uneven copies, which pay too.
        """
        uneven = settings.variation_weight * self.variation
        several = settings.inner_weight * max(0.0, self.inner_likeness - settings.inner_from)
        long = settings.period_weight * np.log(self.period_s)
        return float(self.fit * self.coverage - uneven - several - long)


def explain(prepared: Prepared, period_s: float, settings: RepsSettings) -> Explanation | None:
    """Cover a set by copies of about `period_s`; None where not a single copy pays.

    The template starts from the phase of the narrow band, is refitted to its copies, moved to
    the period that the copies turned out to have, rotated so that a repetition begins where
    the movement begins, and refitted again.
    """
    view = grid(prepared, period_s, settings)
    board = board_of(view.y, settings)
    template, tiling = settled(board, phase_template(view.y, settings), settings)
    if not len(tiling.starts):
        return None
    median_s = float(np.median(tiling.lengths)) * view.step_s
    if abs(np.log(median_s / period_s)) > settings.recentre_share:
        least_s = min(settings.shortest_s, period_s)  # a short one is not made long
        period_s = float(np.clip(median_s, least_s, settings.longest_s))
        view, template = recentred(prepared, view, tiling, period_s, settings)
        board = board_of(view.y, settings)
        template, tiling = settled(board, template, settings)
        if not len(tiling.starts):
            return None
    template, tiling = settled(board, rotated(view, template, tiling), settings)
    return assessed(period_s, view, template, tiling, settings) if len(tiling.starts) else None


def settled(board: Board, template: Floats64, settings: RepsSettings) -> tuple[Floats64, Tiling]:
    """Cover and refit in turn until the copies stay where they are, at most `refits` times.

    Args:
        board: the set.
        template: (points, k), the first guess.
        settings: the counter's constants.

    Returns:
        The template (points, k) and the copies; the first guess itself where no copy is laid.
    """
    tiling = tile(board, template, settings)
    for _ in range(settings.refits):
        if not len(tiling.starts):
            break
        template = refitted(board.y, template, tiling, settings)
        again = tile(board, template, settings)
        same = np.array_equal(again.starts, tiling.starts)
        same = same and np.array_equal(again.lengths, tiling.lengths)
        tiling = again
        if same:
            break
    return template, tiling


def recentred(
    prepared: Prepared, view: Grid, tiling: Tiling, period_s: float, settings: RepsSettings
) -> tuple[Grid, Floats64]:
    """The set on the grid of another period, and a template (points, k) from the same copies on it.

    Without copies the template is all zeros.
    """
    moved = grid(prepared, period_s, settings)
    share = view.step_s / moved.step_s
    starts = np.minimum(np.rint(tiling.starts * share), len(moved.y) - 2).astype(np.intp)
    lengths = np.maximum(np.rint(tiling.lengths * share), 2).astype(np.intp)
    copies = Tiling(starts, lengths, np.ones(len(starts)), tiling.residuals)
    blank = np.zeros((settings.points, moved.y.shape[1]))
    return moved, refitted(moved.y, blank, copies, settings)


def rotated(view: Grid, template: Floats64, tiling: Tiling) -> Floats64:
    """The template (points, k) turned so that its first point is where the set's movement begins.

    There is a copy at least.
    """
    moving = np.flatnonzero(view.moving)
    begin = int(moving[0]) if len(moving) else 0
    phase = ((begin - int(tiling.starts[0])) / int(tiling.lengths[0])) % 1.0
    return np.roll(template, -round(phase * len(template)), axis=0)


def assessed(
    period_s: float, view: Grid, template: Floats64, tiling: Tiling, settings: RepsSettings
) -> Explanation:
    """Measure how well copies cover a set.

    The share of explained variance is adjusted for the numbers that were fitted: the template,
    and a gain and a length for every copy.

    Args:
        period_s: that the grid was made for.
        view: the set.
        template: (points, k).
        tiling: the copies, one at least.
        settings: the counter's constants.
    """
    y = view.y
    inside = tiling.inside(len(y))
    spread = max(float((y[inside] ** 2).sum()), 1e-12)
    values = int(inside.sum()) * y.shape[1]
    fitted = template.size + 2 * len(tiling.starts)
    lost = float(tiling.residuals.sum()) / spread
    fit = 1 - lost * max(values - 1, 1) / max(values - fitted - 1, 1)
    pause, skip = idle_costs(y, template, settings)
    paused = resting(pause, skip) & ~inside
    coverage = float((inside | paused).mean())
    variation = float(np.std(np.log(tiling.lengths)))
    inner = inner_likeness(y, tiling)
    return Explanation(period_s, view, template, tiling, fit, coverage, variation, inner)


def inner_likeness(y: Floats64, tiling: Tiling) -> float:
    """Highest unbiased autocorrelation near a half and a third of the spacing of the copies.

    Near 1 where each copy holds two or three repetitions. Of the set and not of the template,
    because pauses between repetitions shift the halves of a template against each other. Below
    .5 for every right count of SPAR-10 and the gym days, even where a repetition's way back
    resembles its way there.

    Args:
        y: (n, k) the set.
        tiling: the copies, one at least.
    """
    starts = tiling.starts
    spacing = float(np.median(np.diff(starts)) if len(starts) > 1 else tiling.lengths[0])
    flat, width = y.ravel(), y.shape[1]  # shifted by whole rows, axes stay on themselves
    power = max(float(flat @ flat) / len(y), 1e-12)
    lags = [lag for share in INNER_SHARES for lag in lags_near(share * spacing) if lag < len(y)]
    likeness = [
        float(flat[lag * width :] @ flat[: -lag * width]) / (len(y) - lag) / power for lag in lags
    ]
    return max(likeness, default=0.0)


def lags_near(middle: float) -> range:
    """Whole lags within `INNER_WITHIN` of one; repetitions are not that regular.

    >>> list(lags_near(12.0))
    [11, 12, 13]
    """
    return range(
        max(1, math.ceil(middle * (1 - INNER_WITHIN))), int(middle * (1 + INNER_WITHIN)) + 1
    )
