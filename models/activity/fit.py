"""Learn exercise or idle from recordings whose sets are known.

The discriminant needs sums only (`models.exercise.statistics`), so recordings are added and taken
out again. The second look at the borders is learned on first guesses made by a discriminant that
was learned without the recording: from the total minus the sums of the recording's group.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import solve

from models.activity.border_examples import border_examples, both_borders
from models.activity.examples import EXERCISE, IDLE, ActivityExample
from models.activity.features import low_rate_columns
from models.activity.logit import BorderExample
from models.activity.model import ActivityModel, LowRateDiscriminant
from models.activity.settings import SETTINGS
from models.arrays import Floats64
from models.exercise.statistics import Statistics, total
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6, InputLayout

LEAST_S = 20.0


def fit_activity(examples: Sequence[ActivityExample], model_id: InputLayout) -> ActivityModel:
    """Learn from recordings of one or many people.

    Args:
        examples: of one layout, at least two groups for the second look at borders.
        model_id: their layout.

    Raises:
        NotEnoughLabels: less than 20 s of exercise or of idle.
    """
    everything = total([e.statistics for e in examples])
    model = fit_discriminant(everything, model_id)
    return with_borders(model, examples, everything)


def fit_discriminant(statistics: Statistics, model_id: InputLayout) -> ActivityModel:
    """A linear discriminant of exercise against idle, both equally likely, borders unlearned.

    W = covariance within both classes, a share of it replaced by a sphere;
    log odds = (m1 - m0)ᵀ W⁻¹ (x - (m1 + m0) / 2), in standardised features. The same sums give a
    second discriminant for signals of a low rate, on the features that such a rate preserves.
    """
    seconds, means = class_means(statistics)
    weight = seconds.sum()
    middle = (seconds @ means) / weight
    second = statistics.moments / weight
    scale = np.sqrt(np.maximum(np.diagonal(second) - middle**2, 0.0)) + 1e-6
    within = second - (means.T * (seconds / weight)) @ means
    within = within / np.outer(scale, scale)
    centred = (means - middle) / scale
    weights, bias = fit_weights(within, centred)
    kept = low_rate_columns(model_id == ACC6)
    low_rate_weights, low_rate_bias = np.zeros_like(weights), 0.0
    low_rate_weights[kept], low_rate_bias = fit_weights(
        within[np.ix_(kept, kept)], centred[:, kept]
    )
    return ActivityModel(
        model_id=model_id,
        mean=middle.astype(np.float32),
        scale=scale.astype(np.float32),
        weights=weights.astype(np.float32),
        bias=bias,
        start=None,
        end=None,
        low_rate=LowRateDiscriminant(low_rate_weights.astype(np.float32), low_rate_bias),
    )


def fit_weights(within: Floats64, centred: Floats64) -> tuple[Floats64, float]:
    """Weights (d,) and bias of the discriminant of two classes.

    Args:
        within: (d, d) covariance within both.
        centred: (2, d) their means.
    """
    size = len(within)
    regular = (1 - SETTINGS.shrink) * within
    regular.flat[:: size + 1] += SETTINGS.shrink * np.trace(within) / size
    weights = solve(regular, centred[0] - centred[1], assume_a="pos", check_finite=False)
    return weights, float(-weights @ (centred[0] + centred[1]) / 2)


def class_means(statistics: Statistics) -> tuple[Floats64, Floats64]:
    """Seconds (2,) and means (2, d) of exercise and idle, over both wrists.

    Raises:
        NotEnoughLabels: less than 20 s of one of them, or values that are not numbers.
    """
    member = np.array([[g[0] == label for g in statistics.groups] for label in (EXERCISE, IDLE)])
    seconds = member.astype(np.float64) @ statistics.seconds
    if seconds.min() < LEAST_S:
        raise NotEnoughLabels(
            f"{LEAST_S:g} s each of exercise and idle are needed, "
            f"there are {seconds[0]:.0f} s and {seconds[1]:.0f} s"
        )
    if not np.isfinite(statistics.moments).all():
        raise NotEnoughLabels("the statistics hold values that are not numbers")
    return seconds, (member.astype(np.float64) @ statistics.sums) / seconds[:, None]


def with_borders(
    model: ActivityModel, examples: Sequence[ActivityExample], everything: Statistics
) -> ActivityModel:
    """The model with its second look learned on guesses that left the group out."""
    starts: list[BorderExample] = []
    ends: list[BorderExample] = []
    for group in sorted({e.group for e in examples}):
        mine = [e for e in examples if e.group == group]
        blind = without(everything, mine, model.model_id)
        if blind is not None:
            found = border_examples(blind, mine)
            starts, ends = starts + found[0], ends + found[1]
    start, end = both_borders(starts, ends)
    return replace(model, start=start, end=end)


def without(
    everything: Statistics, mine: Sequence[ActivityExample], model_id: InputLayout
) -> ActivityModel | None:
    """A discriminant that did not see these examples; None where nothing else is left."""
    rest = everything
    for example in mine:
        rest = rest - example.statistics
    try:
        return fit_discriminant(rest, model_id)
    except NotEnoughLabels:
        return None
