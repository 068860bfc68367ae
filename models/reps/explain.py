"""What a set looks like if a repetition lasts about so long: template, copies, quality."""

from dataclasses import dataclass

import numpy as np

from models.reps.prepare import Array, Prepared
from models.reps.settings import RepsSettings
from models.reps.template import Grid, grid, phase_template
from models.reps.tiling import Tiling, idle_costs, refitted, resting, tile


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
    """

    period_s: float
    grid: Grid
    template: Array
    tiling: Tiling
    fit: float
    coverage: float
    variation: float

    def score(self, settings: RepsSettings) -> float:
        """How well this explains the set, comparable between periods; higher is better.

        Twice the true period explains a set about as well with half the copies, so long
        periods pay a little; half the true period does it with uneven copies, which pay too.
        """
        uneven = settings.variation_weight * self.variation
        return self.fit * self.coverage - uneven - settings.period_weight * np.log(self.period_s)


def explain(prepared: Prepared, period_s: float, settings: RepsSettings) -> Explanation | None:
    """Cover a set by copies of about `period_s`; None where not a single copy pays.

    The template starts from the phase of the narrow band, is refitted to its copies, moved to
    the period that the copies turned out to have, rotated so that a repetition begins where
    the movement begins, and refitted again.
    """
    view = grid(prepared, period_s, settings)
    template, tiling = settled(view.y, phase_template(view.y, settings), settings)
    if not len(tiling.starts):
        return None
    median_s = float(np.median(tiling.lengths)) * view.step_s
    if abs(np.log(median_s / period_s)) > settings.recentre_share:
        period_s = float(np.clip(median_s, settings.shortest_s, settings.longest_s))
        view, template = recentred(prepared, view, tiling, period_s, settings)
        template, tiling = settled(view.y, template, settings)
        if not len(tiling.starts):
            return None
    template, tiling = settled(view.y, rotated(view, template, tiling), settings)
    return assessed(period_s, view, template, tiling, settings) if len(tiling.starts) else None


def settled(y: Array, template: Array, settings: RepsSettings) -> tuple[Array, Tiling]:
    """Cover and refit in turn until the copies stay where they are, at most `refits` times."""
    tiling = tile(y, template, settings)
    for _ in range(settings.refits):
        if not len(tiling.starts):
            break
        template = refitted(y, template, tiling, settings)
        again = tile(y, template, settings)
        same = np.array_equal(again.starts, tiling.starts)
        same = same and np.array_equal(again.lengths, tiling.lengths)
        tiling = again
        if same:
            break
    return template, tiling


def recentred(
    prepared: Prepared, view: Grid, tiling: Tiling, period_s: float, settings: RepsSettings
) -> tuple[Grid, Array]:
    """The set on the grid of another period, and a template from the same copies on it."""
    moved = grid(prepared, period_s, settings)
    share = view.step_s / moved.step_s
    starts = np.minimum(np.rint(tiling.starts * share), len(moved.y) - 2).astype(np.intp)
    lengths = np.maximum(np.rint(tiling.lengths * share), 2).astype(np.intp)
    copies = Tiling(starts, lengths, np.ones(len(starts)), tiling.residuals)
    blank = np.zeros((settings.points, moved.y.shape[1]))
    return moved, refitted(moved.y, blank, copies, settings)


def rotated(view: Grid, template: Array, tiling: Tiling) -> Array:
    """The template turned so that its first point is where the set's movement begins."""
    moving = np.flatnonzero(view.moving)
    begin = int(moving[0]) if len(moving) else 0
    phase = ((begin - int(tiling.starts[0])) / int(tiling.lengths[0])) % 1.0
    return np.roll(template, -round(phase * len(template)), axis=0)


def assessed(
    period_s: float, view: Grid, template: Array, tiling: Tiling, settings: RepsSettings
) -> Explanation:
    """Measure how well copies cover a set.

    The share of explained variance is adjusted for the numbers that were fitted: the template,
    and a gain and a length for every copy.
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
    return Explanation(period_s, view, template, tiling, fit, coverage, variation)
