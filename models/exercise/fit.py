"""Global and user models from sufficient statistics.

A user's statistics are pooled with those of all other users, the prior, as second moments before
the fit: what differs between people then counts as variation within an exercise, so that the first
few windows of a new user are not overfitted. The more data a user has, the less the prior weighs.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from models.exercise.discriminant import FitSettings, fit_discriminant, learnable_exercises
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.statistics import Frame, Statistics, frame_of, weighted
from schemas.inputs import ACC6, InputLayout

# Learned on SPAR, for use until there are enough users to learn it from. The weight of hesitation
# comes from eight gym days of one lifter (decision 26): SPAR's people hardly hesitate.
USER_CALIBRATION: Final = Calibration(hesitation=4.0)
GLOBAL_CALIBRATION: Final = Calibration(
    window=0.18, whole=1.2, known_centre=0.17, known_slope=1.6, abstain_above=1.9
)


@dataclass(frozen=True, slots=True)
class PooledPrior:
    """The statistics of all users, which a user's own are mixed with.

    Attributes:
        frame: of these statistics; the user's must be in the same.
        statistics: of all users, or of all but the one; moments in float32.
        user_calibration: for models that are fitted with this prior.
    """

    frame: Frame
    statistics: Statistics
    user_calibration: Calibration

    def __sub__(self, given: Statistics) -> "PooledPrior":
        """The prior without one user's contribution, which is in the same frame."""
        return replace(self, statistics=self.statistics - given)


@dataclass(frozen=True, slots=True)
class GlobalModel:
    """The global model and the statistics that it was learned from.

    Attributes:
        model: answers for users without a model of their own.
        statistics: sum over users; subtract a user's to leave that user out.
        user_calibration: calibration for user models, learned on other users.
        prior: the same statistics in their own frame, ready to be mixed with a user's.
    """

    model: ExerciseModel
    statistics: Statistics
    user_calibration: Calibration
    prior: PooledPrior = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        frame = frame_of(self.statistics)
        prior = PooledPrior(frame, self.statistics.framed(frame), self.user_calibration)
        object.__setattr__(self, "prior", prior)


def fit_global(
    statistics: Statistics,
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    calibration: Calibration | None = None,
    user_calibration: Calibration | None = None,
) -> GlobalModel:
    """The model for unseen users, from the sum of all users' statistics.

    To test on one person pass the sum without that person: `total - person`.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    learnable_exercises(statistics, settings or FitSettings())
    frame = frame_of(statistics)
    framed = statistics.framed(frame)
    model = fit_framed_global(framed, frame, settings, model_id=model_id, calibration=calibration)
    return GlobalModel(model, statistics, user_calibration or USER_CALIBRATION)


def fit_framed_global(
    statistics: Statistics,
    frame: Frame,
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    calibration: Calibration | None = None,
) -> ExerciseModel:
    """The global model from statistics that are already in a frame.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    settings = settings or FitSettings()
    return fit_discriminant(
        statistics,
        statistics,
        frame,
        settings.global_shrink,
        settings,
        model_id=model_id,
        level="global",
        calibration=calibration or GLOBAL_CALIBRATION,
    )


def fit_user(
    statistics: Statistics,
    global_model: GlobalModel | None = None,
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    calibration: Calibration | None = None,
) -> ExerciseModel:
    """A user model, over the exercises that this user has labelled.

    Args:
        statistics: of the user's labelled sets.
        global_model: gives the prior, of all users or all others; None where there is none yet.
        settings: how to fit.
        model_id: the layout of the statistics.
        calibration: overrides the one that the global model learned.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    learnable_exercises(statistics, settings or FitSettings())
    prior = global_model.prior if global_model else None
    frame = prior.frame if prior else frame_of(statistics)
    return fit_framed_user(
        statistics.framed(frame),
        frame,
        prior,
        settings,
        model_id=model_id,
        calibration=calibration,
    )


def fit_framed_user(
    statistics: Statistics,
    frame: Frame,
    prior: PooledPrior | None = None,
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    calibration: Calibration | None = None,
) -> ExerciseModel:
    """A user model from statistics that are already in a frame: the prior's, if there is one.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    settings = settings or FitSettings()
    pooled = statistics
    if prior is not None:
        pooled = mix(statistics, prior.statistics, settings.mix_s)
        calibration = calibration or prior.user_calibration
    return fit_discriminant(
        pooled,
        statistics,
        frame,
        settings.shrink,
        settings,
        model_id=model_id,
        level="user",
        calibration=calibration or USER_CALIBRATION,
    )


def mix(own: Statistics, prior: Statistics, mix_s: float) -> Statistics:
    """A user's statistics pooled with a prior's.

    The user's share is s / (s + mix_s), s being the user's seconds per exercise: each window of the
    user counts once, and the prior is scaled to make up the rest.
    """
    per_label_s = own.total_s / max(len(own.labels), 1)
    return weighted(own, 1.0, prior, own.total_s * mix_s / (per_label_s * prior.total_s))
