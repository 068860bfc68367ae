"""Linear discriminants from sufficient statistics: of a user, of everybody, and of both mixed.

A user's statistics and everybody else's are mixed as second moments, before anything is solved:
what differs between people then counts as variation inside an exercise, so that the few windows of
somebody who has just begun are not taken for the whole truth. The more a user has, the larger the
own share.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from models.exercise.layout import ACC6, ModelId
from models.exercise.model import PROTOTYPE_STEP, Calibration, ExerciseModel, Level
from models.exercise.statistics import Statistics
from schemas.errors import NotEnoughLabels

Matrix = NDArray[np.float64]
MIN_SCALE: Final = 1e-3
FLOAT16_MAX: Final = 6e4
# What SPAR taught, for the time before there is anybody else to learn it from.
OWN_CALIBRATION: Final = Calibration()
GLOBAL_CALIBRATION: Final = Calibration(
    window=0.18, whole=1.2, known_centre=0.17, known_slope=1.6, abstain_above=1.9
)


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a model is fitted.

    Attributes:
        shrink: share of the mean variance in the within-exercise covariance of a user's model.
        global_shrink: the same for the global model.
        mix_s: seconds per exercise at which a user's own data has half of the say.
        metric_shrink: share of the mean variance in the metric of strangeness.
        min_s: seconds of windows below which an exercise is not learned (one step: one window).
        min_labels: exercises below which there is nothing to tell apart.
    """

    shrink: float = 0.1
    global_shrink: float = 0.1
    mix_s: float = 2.0
    metric_shrink: float = 0.05
    min_s: float = 0.25
    min_labels: int = 2


@dataclass(frozen=True, slots=True)
class GlobalModel:
    """What everybody together knows.

    Attributes:
        model: answers for users without a model of their own.
        statistics: sum over users; subtract a user's to get everybody else.
        own_calibration: calibration for users' own models, learned on other users.
    """

    model: ExerciseModel
    statistics: Statistics
    own_calibration: Calibration


def fit_global(
    statistics: Statistics,
    settings: FitSettings | None = None,
    *,
    model_id: ModelId = ACC6,
    calibration: Calibration | None = None,
    own_calibration: Calibration | None = None,
) -> GlobalModel:
    """The model for people who were never seen, from the sum of everybody's statistics.

    For a test on one person pass `everybody - person`.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    settings = settings or FitSettings()
    known = _enough(statistics, settings)
    model = _discriminant(
        statistics,
        statistics,
        known,
        settings.global_shrink,
        settings,
        model_id=model_id,
        level="global",
        calibration=calibration or GLOBAL_CALIBRATION,
    )
    return GlobalModel(model, statistics, own_calibration or OWN_CALIBRATION)


def fit_user(
    statistics: Statistics,
    global_model: GlobalModel | None = None,
    settings: FitSettings | None = None,
    *,
    model_id: ModelId = ACC6,
    calibration: Calibration | None = None,
) -> ExerciseModel:
    """A user's own model, over the exercises that this user has labelled.

    Args:
        statistics: of the user's labelled sets.
        global_model: of everybody (or everybody else), None where there is none yet.
        settings: how to fit.
        model_id: the layout of the statistics.
        calibration: overrides the one that the global model learned.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    settings = settings or FitSettings()
    known = _enough(statistics, settings)
    mixed = statistics
    if global_model is not None:
        mixed = mix(statistics, global_model.statistics, settings.mix_s)
        calibration = calibration or global_model.own_calibration
    return _discriminant(
        mixed,
        statistics,
        known,
        settings.shrink,
        settings,
        model_id=model_id,
        level="user",
        calibration=calibration or OWN_CALIBRATION,
    )


def mix(own: Statistics, others: Statistics, mix_s: float) -> Statistics:
    """Both as shares of one; the own share is s / (s + mix_s), s seconds per exercise."""
    per_label_s = own.total_s / len(own.labels)
    share = per_label_s / (per_label_s + mix_s)
    return own.scaled(share / own.total_s) + others.scaled((1 - share) / others.total_s)


def within(statistics: Statistics, by_side: bool) -> tuple[list[str], Matrix, Matrix, Matrix]:
    """Labels, weights (k,), means (k, d) and the covariance around them (d, d).

    Args:
        statistics: of one layout.
        by_side: a mean for each exercise and side instead of each exercise.
    """
    keys = [g if by_side else g[:1] for g in statistics.groups]
    names = sorted(set(keys))
    member = np.array([[key == name for key in keys] for name in names], dtype=np.float64)
    seconds = member @ statistics.seconds
    means = (member @ statistics.sums) / seconds[:, None]
    scatter = statistics.moments - (means * seconds[:, None]).T @ means
    return [name[0] for name in names], seconds, means, scatter / seconds.sum()


def _enough(statistics: Statistics, settings: FitSettings) -> tuple[str, ...]:
    found = statistics.label_seconds()
    enough = tuple(label for label, seconds in found.items() if seconds >= settings.min_s)
    if len(enough) < settings.min_labels:
        says = ", ".join(f"{label!r} {seconds:.0f} s" for label, seconds in found.items())
        raise NotEnoughLabels(
            f"{settings.min_labels} exercises of {settings.min_s:g} s or more are needed to tell "
            f"them apart; labelled are: {says or 'none'}"
        )
    if not np.isfinite(statistics.moments).all():
        raise NotEnoughLabels("the statistics hold values that are not numbers")
    return enough


def _discriminant(
    mixed: Statistics,
    seen: Statistics,
    known: tuple[str, ...],
    shrink: float,
    settings: FitSettings,
    *,
    model_id: ModelId,
    level: Level,
    calibration: Calibration,
) -> ExerciseModel:
    """Solve W·A = means in standardised features; prototypes come from what was seen."""
    mean, scale = _standardisation(mixed)
    mixed = _standardise(mixed, mean, scale)
    labels, _, means, covariance = within(mixed, by_side=False)
    means = means[[labels.index(label) for label in known]]
    size = len(covariance)
    regular = (1 - shrink) * covariance
    regular.flat[:: size + 1] += shrink * np.trace(covariance) / size
    weights = solve(regular, means.T, assume_a="pos", check_finite=False).T
    weights = np.clip(weights, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
    bias = -0.5 * (means * weights).sum(axis=1)
    prototypes, precision, typical = _metric(_standardise(seen, mean, scale), known, settings)
    return ExerciseModel(
        model_id=model_id,
        level=level,
        labels=known,
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        weights=weights,
        bias=bias.astype(np.float32),
        prototypes=prototypes,
        precision=precision,
        typical=typical,
        calibration=calibration,
    )


def _standardisation(statistics: Statistics) -> tuple[Matrix, Matrix]:
    """Mean and deviation of every feature, as numbers that float16 holds."""
    mean = statistics.sums.sum(axis=0) / statistics.total_s
    variance = np.diagonal(statistics.moments) / statistics.total_s - mean**2
    scale = np.sqrt(np.maximum(variance, MIN_SCALE**2))
    return mean.astype(np.float16).astype(np.float64), scale.astype(np.float16).astype(np.float64)


def _standardise(statistics: Statistics, mean: Matrix, scale: Matrix) -> Statistics:
    """The statistics of (x - mean) / scale."""
    sums = (statistics.sums - statistics.seconds[:, None] * mean) / scale
    all_sums = statistics.sums.sum(axis=0)
    moments = statistics.moments - np.outer(mean, all_sums) - np.outer(all_sums, mean)
    moments += statistics.total_s * np.outer(mean, mean)
    return replace(statistics, sums=sums, moments=moments / np.outer(scale, scale))


def _metric(
    seen: Statistics, known: tuple[str, ...], settings: FitSettings
) -> tuple[NDArray[np.int8], NDArray[np.float16], float]:
    """Prototypes, inverse variances around them, and the log of the mean distance in them.

    The variances stand alone (no covariance): measured on left-out exercises this tells unknown
    movement better than a full metric (AUROC .980 against .971) and takes a twentieth of the room.
    """
    labels, _, means, covariance = within(seen, by_side=True)
    means = means[[label in known for label in labels]]
    variance = np.maximum(np.diagonal(covariance), 0)
    shrink = settings.metric_shrink
    metric = (1 - shrink) * variance + shrink * max(float(variance.mean()), 1e-6)
    precision = np.minimum(1 / metric, FLOAT16_MAX).astype(np.float16)
    prototypes = np.clip(np.rint(means / PROTOTYPE_STEP), -127, 127).astype(np.int8)
    typical = float(np.log((variance * precision.astype(np.float64)).sum()))
    return prototypes, precision, typical
