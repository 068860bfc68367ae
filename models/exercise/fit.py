"""Models from sufficient statistics: of a user, of everybody, and of both mixed.

A user's statistics and everybody else's are mixed as second moments, before anything is solved:
what differs between people then counts as variation inside an exercise, so that the few windows of
somebody who has just begun are not taken for the whole truth. The more a user has, the larger the
own share.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from models.exercise.discriminant import FitSettings, discriminant, enough
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.statistics import Frame, Statistics, frame_of, weighted
from schemas.inputs import ACC6, InputLayout

# What SPAR taught, for the time before there is anybody else to learn it from. The weight of
# hesitation is of eight gym days of one lifter (decision 26): SPAR's people hardly hesitate.
OWN_CALIBRATION: Final = Calibration(hesitation=4.0)
GLOBAL_CALIBRATION: Final = Calibration(
    window=0.18, whole=1.2, known_centre=0.17, known_slope=1.6, abstain_above=1.9
)


@dataclass(frozen=True, slots=True)
class Others:
    """What a user's own statistics are mixed with.

    Attributes:
        frame: in which the statistics are, and the user's must be.
        statistics: of everybody, or of everybody else; moments in float32.
        own_calibration: for models mixed with them.
    """

    frame: Frame
    statistics: Statistics
    own_calibration: Calibration

    def __sub__(self, given: Statistics) -> "Others":
        """Everybody else: without what this user gave, in the same frame."""
        return replace(self, statistics=self.statistics - given)


@dataclass(frozen=True, slots=True)
class GlobalModel:
    """What everybody together knows.

    Attributes:
        model: answers for users without a model of their own.
        statistics: sum over users; subtract a user's to get everybody else.
        own_calibration: calibration for users' own models, learned on other users.
        others: the same statistics, ready to be mixed with a user's.
    """

    model: ExerciseModel
    statistics: Statistics
    own_calibration: Calibration
    others: Others = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        frame = frame_of(self.statistics)
        others = Others(frame, self.statistics.framed(frame), self.own_calibration)
        object.__setattr__(self, "others", others)


def fit_global(
    statistics: Statistics,
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    calibration: Calibration | None = None,
    own_calibration: Calibration | None = None,
) -> GlobalModel:
    """The model for people who were never seen, from the sum of everybody's statistics.

    For a test on one person pass `everybody - person`.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    enough(statistics, settings or FitSettings())
    frame = frame_of(statistics)
    framed = statistics.framed(frame)
    model = fit_others(framed, frame, settings, model_id=model_id, calibration=calibration)
    return GlobalModel(model, statistics, own_calibration or OWN_CALIBRATION)


def fit_others(
    statistics: Statistics,
    frame: Frame,
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    calibration: Calibration | None = None,
) -> ExerciseModel:
    """The global model of statistics that are already in a frame.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    settings = settings or FitSettings()
    return discriminant(
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
    enough(statistics, settings or FitSettings())
    others = global_model.others if global_model else None
    frame = others.frame if others else frame_of(statistics)
    return fit_own(
        statistics.framed(frame),
        frame,
        others,
        settings,
        model_id=model_id,
        calibration=calibration,
    )


def fit_own(
    statistics: Statistics,
    frame: Frame,
    others: Others | None = None,
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    calibration: Calibration | None = None,
) -> ExerciseModel:
    """A user's own model from statistics that are already in a frame: the others', if any.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
    """
    settings = settings or FitSettings()
    mixed = statistics
    if others is not None:
        mixed = mix(statistics, others.statistics, settings.mix_s)
        calibration = calibration or others.own_calibration
    return discriminant(
        mixed,
        statistics,
        frame,
        settings.shrink,
        settings,
        model_id=model_id,
        level="user",
        calibration=calibration or OWN_CALIBRATION,
    )


def mix(own: Statistics, others: Statistics, mix_s: float) -> Statistics:
    """A user's statistics mixed with others'.

    The user's share is s / (s + mix_s), s being the user's seconds per exercise: each of their
    windows counts once, and the others' so often as gives them the rest.
    """
    per_label_s = own.total_s / max(len(own.labels), 1)
    return weighted(own, 1.0, others, own.total_s * mix_s / (per_label_s * others.total_s))
