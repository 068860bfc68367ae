"""The shrunk linear discriminant: from statistics to weights, prototypes and their metric."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from models.arrays import Floats, Floats16, Floats32, Floats64
from models.codec import FLOAT16_MAX
from models.exercise.model import PROTOTYPE_STEP, ExerciseModel, Level, LowRateDiscriminant
from models.exercise.names import feature_names, low_rate_count
from models.exercise.probability import Calibration
from models.exercise.statistics import Frame, Statistics, deviations, frame_of
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6, InputLayout

MAX_STEPS = 127  # of an int8
SOLVED_ROWS = 8  # that BLAS solves at once: eight take two thirds of the time of seven


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a model is fitted.

    Attributes:
        shrink: shrinkage of the within-exercise covariance towards a sphere, of users' models.
        global_shrink: the same for the global model.
        mix_s: weight of the prior: seconds per exercise at which a user's own data counts half.
        metric_shrink: shrinkage of the variances that strangeness is measured with.
        min_s: an exercise with fewer seconds of windows is not learned.
        min_labels: fewer exercises are not learned: there is nothing to tell apart.
        low_rate: whether to fit a second discriminant as well, for windows of a low rate.
    """

    shrink: float = 0.1
    global_shrink: float = 0.1
    mix_s: float = 2.0
    metric_shrink: float = 0.05
    min_s: float = 0.25
    min_labels: int = 2
    low_rate: bool = True


def fit_discriminant(
    pooled: Statistics,
    own: Statistics,
    frame: Frame,
    shrink: float,
    settings: FitSettings,
    *,
    model_id: InputLayout,
    level: Level,
    calibration: Calibration,
) -> ExerciseModel:
    """Fit the weights on pooled statistics, W·A = means, and the prototypes on the model's own.

    The first features alone, which a low sampling rate preserves, give a second discriminant.

    Args:
        pooled: what means and covariance come from, in `frame`; overwritten unless it is `own`.
        own: what exercises and prototypes come from, in `frame`.
        frame: of both.
        shrink: shrinkage of the within-exercise covariance.
        settings: how models are fitted.
        model_id: the layout.
        level: the rung of the ladder that the model is for.
        calibration: of its scores.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    labels = learnable_exercises(own, settings)
    mean, scale = _standardisation(pooled, frame)
    centre = mean - frame.mean  # the mean in the frame; the covariance is the same in any frame
    rows, _, means, covariance = within_class_covariance(pooled, overwrite=pooled is not own)
    means = (means[[rows.index(label) for label in labels]] - centre) / scale
    prototypes, precision, mean_distances = _fit_metric(own, centre, scale, labels, settings)
    solution = _half_solve(covariance, scale, means, shrink)
    weights, bias = _rounded_weights(solution.of_all(), means)
    low_rate = _low_rate(solution, means, mean_distances, settings, model_id)
    return ExerciseModel(
        model_id=model_id,
        level=level,
        labels=labels,
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        weights=weights,
        bias=bias,
        prototypes=prototypes,
        precision=precision,
        typical=float(np.log(mean_distances.sum())),
        calibration=calibration,
        low_rate=low_rate,
    )


def learnable_exercises(statistics: Statistics, settings: FitSettings) -> tuple[str, ...]:
    """The exercises with enough movement to be learned.

    Raises:
        NotEnoughLabels: fewer than two, or statistics that are not finite.
    """
    seconds_of = statistics.label_seconds()
    labels = tuple(label for label, seconds in seconds_of.items() if seconds >= settings.min_s)
    if len(labels) < settings.min_labels:
        # No names: they are the user's words, and this sentence is counted with those of others.
        raise NotEnoughLabels(
            f"{settings.min_labels} exercises of {settings.min_s:g} s or more are needed to tell "
            f"them apart, and there are {len(labels)}"
        )
    if not np.isfinite(np.diagonal(statistics.moments)).all():  # squares: the largest of all
        raise NotEnoughLabels("the statistics hold values that are not numbers")
    return labels


def within_class_covariance(
    statistics: Statistics, *, overwrite: bool = False
) -> tuple[list[str], Floats64, Floats64, Floats]:
    """Labels, weights (k,), means (k, d) and the within-class covariance (d, d).

    Only the upper triangle of the covariance is valid.

    Args:
        statistics: of windows.
        overwrite: reuse the memory of the moments for the covariance.
    """
    labels, seconds, means = _class_means(statistics)
    weighted = (means * np.sqrt(seconds / statistics.total_s)[:, None]).astype(
        statistics.moments.dtype
    )
    (product,) = get_blas_funcs(("syrk",), (weighted,))
    covariance = product(  # moments minus those of the class means
        -1,
        weighted.T,
        1 / statistics.total_s,
        statistics.moments.T,
        lower=True,
        overwrite_c=overwrite,
    ).T
    return labels, seconds, means, covariance


def _class_means(statistics: Statistics) -> tuple[list[str], Floats64, Floats64]:
    """Labels, weights and means of each exercise, over both wrists."""
    names = [exercise for exercise, _ in statistics.groups]
    labels = list(dict.fromkeys(names))
    members = np.array([[name == label for name in names] for label in labels], np.float64)
    seconds = members @ statistics.seconds
    return labels, seconds, (members @ statistics.sums) / seconds[:, None]


@dataclass(frozen=True, slots=True)
class _HalfSolved:
    """W·A = B with A = L·Lᵀ, solved for W·L; of its first columns it is the solution as well.

    Attributes:
        factor: (d, d), L.
        half: (rows, d), B·L⁻ᵀ in units of `scale`; rows of zeros fill it up to eights.
        rows: of B.
        scale: (d,), units of the features.
    """

    factor: Floats
    half: Floats
    rows: int
    scale: Floats64

    def of_all(self) -> Floats:
        """W of all features, (rows, d)."""
        return self.of_first(len(self.scale))

    def of_first(self, count: int) -> Floats:
        """W of the first features alone, (rows, count): L's leading part is the factor of A's."""
        (solve,) = get_blas_funcs(("trsm",), (self.factor,))
        solved = solve(1, self.factor[:count, :count], self.half[:, :count], 1, lower=1)
        return solved[: self.rows] * self.scale[:count]


def _half_solve(covariance: Floats, scale: Floats64, means: Floats64, shrink: float) -> _HalfSolved:
    """W·((1 - λ)·C + λ·tr(C)/d·I) = means, C in units of `scale`; overwrites the covariance.

    The units go to the identity and to the means: the covariance is not touched for them.
    """
    size = len(covariance)
    mean_variance = float((np.diagonal(covariance) / scale**2).sum()) / size
    ridge = mean_variance * shrink / (1 - shrink) * scale**2
    covariance.flat[:: size + 1] += ridge.astype(covariance.dtype)
    (factorise,) = get_lapack_funcs(("potrf",), (covariance,))
    (solve,) = get_blas_funcs(("trsm",), (covariance,))
    factor, failed = factorise(covariance.T, lower=True, clean=False, overwrite_a=True)
    if failed:
        raise NotEnoughLabels("the labelled windows do not vary enough to tell them apart")
    rows = len(means)
    half = np.zeros((-(-rows // SOLVED_ROWS) * SOLVED_ROWS, size), covariance.dtype, order="F")
    half[:rows] = means * (scale / (1 - shrink))
    half = solve(1, factor, half, 1, lower=1, trans_a=True, overwrite_b=True)
    return _HalfSolved(factor, half, rows, scale)


def _rounded_weights(solved: Floats, means: Floats64) -> tuple[Floats16, Floats32]:
    """Weights (k, d) and bias (k,) of the discriminant; means in standard deviations."""
    weights = np.clip(solved, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
    return weights, (-0.5 * (means * weights).sum(axis=1)).astype(np.float32)


def _low_rate(
    solution: _HalfSolved,
    means: Floats64,
    mean_distances: Floats64,
    settings: FitSettings,
    model_id: InputLayout,
) -> LowRateDiscriminant | None:
    """The discriminant for low rates, its weights quantised to int8.

    None where the settings want none, and where the features are not the layout's: how a low rate
    affects them is not known.

    Args:
        solution: of the weights.
        means: (k, d) of each exercise, in standard deviations.
        mean_distances: (d,) each feature's share of the mean distance to a prototype.
        settings: how models are fitted.
        model_id: the layout.
    """
    with_gyro = model_id == ACC6
    if not settings.low_rate or means.shape[1] != len(feature_names(with_gyro)):
        return None
    count = low_rate_count(with_gyro)
    weights = solution.of_first(count)
    step = max(float(np.abs(weights).max()), 1e-6) / MAX_STEPS
    steps = np.rint(weights / step).astype(np.int8)
    bias = -0.5 * step * (means[:, :count] * steps).sum(axis=1)
    return LowRateDiscriminant(
        steps, step, bias.astype(np.float32), float(np.log(mean_distances[:count].sum()))
    )


def _standardisation(statistics: Statistics, frame: Frame) -> tuple[Floats64, Floats64]:
    """Mean and standard deviation of every raw feature, rounded to float16."""
    centre = frame_of(statistics).mean
    mean, scale = frame.mean + centre, deviations(statistics, centre)
    return mean.astype(np.float16).astype(np.float64), scale.astype(np.float16).astype(np.float64)


def _fit_metric(
    own: Statistics,
    centre: Floats64,
    scale: Floats64,
    labels: tuple[str, ...],
    settings: FitSettings,
) -> tuple[NDArray[np.int8], Floats16, Floats64]:
    """Prototypes, inverse variances around them, and each feature's share of the mean distance.

    The metric is diagonal: on left-out exercises it tells unknown movement better than a full
    covariance (AUROC .980 against .971), in a twentieth of the memory.
    """
    means = own.sums / own.seconds[:, None]
    scatter = np.diagonal(own.moments) - (own.sums * means).sum(axis=0)
    variance = np.maximum(scatter / own.total_s, 0) / scale**2
    means = (means[[exercise in labels for exercise, _ in own.groups]] - centre) / scale
    shrink = settings.metric_shrink
    metric = (1 - shrink) * variance + shrink * max(float(variance.mean()), 1e-6)
    precision = np.minimum(1 / metric, FLOAT16_MAX).astype(np.float16)
    prototypes = np.clip(np.rint(means / PROTOTYPE_STEP), -127, 127).astype(np.int8)
    return prototypes, precision, variance * precision.astype(np.float64)
