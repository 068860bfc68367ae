"""Fit activity models on recordings whose sets are known.

The discriminant needs sufficient statistics only (`models.exercise.statistics`), so recordings can
be added and subtracted. Border models are learned on first guesses of a discriminant that did not
see the recording: it is fitted on the total minus the statistics of the recording's group.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import solve

from models.activity.border_examples import border_examples, fit_both_borders
from models.activity.examples import EXERCISE, IDLE, ActivityExample
from models.activity.features import low_rate_columns
from models.activity.frames import with_other_frames
from models.activity.logit import BorderExample
from models.activity.model import ActivityModel, LowRateDiscriminant
from models.activity.settings import SETTINGS
from models.arrays import Floats64
from models.exercise.statistics import Statistics, total
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6, InputLayout

MIN_S = 20.0


def fit_activity(examples: Sequence[ActivityExample], model_id: InputLayout) -> ActivityModel:
    """Learn from recordings of one or many people.

    Args:
        examples: of one layout; border models need at least two groups.
        model_id: their layout.

    Raises:
        NotEnoughLabels: less than 20 s of exercise or of idle.
    """
    total_statistics = total([e.statistics for e in examples])
    model = fit_discriminant(total_statistics, model_id)
    return with_border_models(model, examples, total_statistics)


def fit_discriminant(statistics: Statistics, model_id: InputLayout) -> ActivityModel:
    """A linear discriminant of exercise against idle with equal priors, without border models.

    W = covariance within both classes, shrunk towards a sphere;
    log odds = (m1 - m0)ᵀ W⁻¹ (x - (m1 + m0) / 2), in standardised features. A share of the sums is
    of devices with other axes. Those as recorded give a second discriminant for signals of a low
    rate, on the features that such a rate preserves.
    """
    with_gyro = model_id == ACC6
    mixed = with_other_frames(statistics, SETTINGS.other_frames, with_gyro=with_gyro)
    mean, scale = standardisation(mixed)
    weights, bias = fit_weights(*standardised_classes(mixed, mean, scale))
    kept = low_rate_columns(with_gyro)
    within, centred = standardised_classes(statistics, mean, scale)
    low_rate_weights, low_rate_bias = np.zeros_like(weights), 0.0
    low_rate_weights[kept], low_rate_bias = fit_weights(
        within[np.ix_(kept, kept)], centred[:, kept]
    )
    return ActivityModel(
        model_id=model_id,
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        weights=weights.astype(np.float32),
        bias=bias,
        start=None,
        end=None,
        low_rate=LowRateDiscriminant(low_rate_weights.astype(np.float32), low_rate_bias),
    )


def discriminant_or_none(statistics: Statistics, model_id: InputLayout) -> ActivityModel | None:
    """As `fit_discriminant`; None where the sums are too few for a model."""
    try:
        return fit_discriminant(statistics, model_id)
    except NotEnoughLabels:
        return None


def standardisation(statistics: Statistics) -> tuple[Floats64, Floats64]:
    """Mean and deviation (d,) of every feature over exercise and idle.

    Raises:
        NotEnoughLabels: as `class_means`.
    """
    seconds, means = class_means(statistics)
    mean = (seconds @ means) / seconds.sum()
    second_moment = np.diagonal(statistics.moments) / seconds.sum()
    return mean, np.sqrt(np.maximum(second_moment - mean**2, 0.0)) + 1e-6


def standardised_classes(
    statistics: Statistics, mean: Floats64, scale: Floats64
) -> tuple[Floats64, Floats64]:
    """Covariance within both classes (d, d), and their means (2, d), in standardised features."""
    seconds, means = class_means(statistics)
    share = seconds / seconds.sum()
    within = statistics.moments / seconds.sum() - (means.T * share) @ means
    return within / np.outer(scale, scale), (means - mean) / scale


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
        NotEnoughLabels: less than 20 s of one of them, or values that are not finite.
    """
    member = np.array([[g[0] == label for g in statistics.groups] for label in (EXERCISE, IDLE)])
    seconds = member.astype(np.float64) @ statistics.seconds
    if seconds.min() < MIN_S:
        raise NotEnoughLabels(
            f"{MIN_S:g} s each of exercise and idle are needed, "
            f"there are {seconds[0]:.0f} s and {seconds[1]:.0f} s"
        )
    if not np.isfinite(statistics.moments).all():
        raise NotEnoughLabels("the statistics hold values that are not numbers")
    return seconds, (member.astype(np.float64) @ statistics.sums) / seconds[:, None]


def with_border_models(
    model: ActivityModel, examples: Sequence[ActivityExample], total_statistics: Statistics
) -> ActivityModel:
    """The model with border models, learned on first guesses that left the group out."""
    starts: list[BorderExample] = []
    ends: list[BorderExample] = []
    for group in sorted({e.group for e in examples}):
        group_examples = [e for e in examples if e.group == group]
        held_out_model = fit_without(total_statistics, group_examples, model.model_id)
        if held_out_model is not None:
            pair = border_examples(held_out_model, group_examples)
            starts, ends = starts + pair[0], ends + pair[1]
    start, end = fit_both_borders(starts, ends)
    return replace(model, start=start, end=end)


def fit_without(
    total_statistics: Statistics, left_out: Sequence[ActivityExample], model_id: InputLayout
) -> ActivityModel | None:
    """A discriminant fitted without these examples; None where too few others are left."""
    rest = total_statistics
    for example in left_out:
        rest = rest - example.statistics
    return discriminant_or_none(rest, model_id)
