"""One user's exercise model from their labelled sets. Pure: no Spark, no database, no clock.

The same function runs on Spark's executors, on one machine (`--engine local`) and in tests. The
model that ships is learned from *all* sets. The one that is evaluated is learned from the early
sets only and scored on the late ones. Both come from the same statistics, so that evaluation costs
one more solve.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from models.exercise.calibrate import HeldOutScores
from models.exercise.codec import to_bytes
from models.exercise.discriminant import FitSettings
from models.exercise.fit import GlobalModel, PooledPrior, fit_framed_global, fit_framed_user
from models.exercise.model import ExerciseModel
from models.exercise.quantised_statistics import cap_seconds, framed_statistics, statistics_of_sets
from models.exercise.statistics import Frame, Statistics
from models.exercise.user_calibration import calibrate_for_user
from pipelines.exercise.calibration import held_out_scores, scores_of_sets
from pipelines.exercise.evaluation import (
    Hits,
    Rungs,
    SetWithWindows,
    evaluation_sets,
    hits_of,
    majority_hits,
)
from pipelines.exercise.judging import covered_sets, judging_sets, sets_missing_to_judge
from pipelines.exercise.labelled import LabelledRow, digest, newest
from pipelines.exercise.prepared import PreparedSets, Recipe, TimeSplit, named_windows, prepare_sets
from pipelines.exercise.windows import FreshWindows, find_windows
from pipelines.lifecycle.incumbents import EvaluationPeriod
from pipelines.lifecycle.threads import one_blas_thread
from schemas.errors import NotEnoughLabels
from schemas.inputs import InputLayout

EVALUATION_FIT = FitSettings(low_rate=False)  # stored windows do not tell their sampling rate


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A serving model, and what may evaluate it."""

    model: ExerciseModel
    period: EvaluationPeriod


@dataclass(frozen=True, slots=True)
class LearnedModel:
    """A user's new model and its evaluation.

    Attributes:
        content: bytes of the model.
        labels: the exercises that it knows.
        data_digest: of the sets and the recipe it was learned from.
        trained_until: start of the newest set in it.
        sets: number of sets read.
        seconds: of movement in them, in windows.
        rungs: each rung's hits on late sets.
        fresh: windows to be stored for the next run.
        held_out: scores of `everybody` and `own` on late sets, split exercise by exercise, for
            calibration; b"" of users who are not members.
        missing_sets: which sets the user lacks for an evaluation, "" where none.
    """

    content: bytes
    labels: tuple[str, ...]
    data_digest: str
    trained_until: datetime
    sets: int
    seconds: float
    rungs: Rungs
    fresh: tuple[FreshWindows, ...]
    held_out: bytes
    missing_sets: str


class EarlyModels(NamedTuple):
    """A user's models of early sets only; None where these are too few for one.

    Attributes:
        evaluated: of the split that judges, mixed with the prior without this user.
        unseen: of sets split exercise by exercise, mixed likewise: for the next run's calibrations.
        as_shipped: of the same sets, mixed as the model that ships, whose calibration it decides.
    """

    evaluated: ExerciseModel | None
    unseen: ExerciseModel | None
    as_shipped: ExerciseModel | None


@one_blas_thread()
def learn_user(
    sets: Sequence[LabelledRow],
    layout: InputLayout,
    recipe: Recipe,
    global_model: GlobalModel | None = None,
    *,
    is_member: bool = False,
    unlearned: EvaluationPeriod | None = None,
    incumbent: Incumbent | None = None,
    former: Incumbent | None = None,
) -> LearnedModel:
    """Learn and evaluate one user's model.

    Args:
        sets: all labelled sets of the user in one layout, oldest first.
        layout: which.
        recipe: shared by the run.
        global_model: None before there is one.
        is_member: whether exactly these sets are in `global_model`, see `member_digest`. It is
            evaluated without them then.
        unlearned: of sets that are not in `global_model`, where other sets of the user may be and
            nobody knows which: only later ones evaluate. None: none is in it, or all are known.
        incumbent: the user's serving model, scored on late sets after its training data.
        former: the global model that serves now, scored likewise on users who are not members.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
        BadSamples: a stored recording does not decode.
    """
    prepared = prepare_sets(sets, layout, recipe, global_model)
    prior = global_model.prior if global_model else None
    given = _given_statistics(prepared, recipe) if is_member else None
    prior_without_user, global_without_user = _without_user(global_model, given, layout)
    split = prepared.split(recipe)
    early = _early_models(prepared, split, prior_without_user, prior, layout)
    by_share = evaluation_sets(prepared.by_share.late, prepared.windows)
    shipped = _shipped_model(prepared, scores_of_sets(early.as_shipped, by_share), prior, layout)
    late, known, beatable = judging_sets(prepared, split, early.evaluated, unlearned)
    return LearnedModel(
        content=to_bytes(shipped),
        labels=shipped.labels,
        data_digest=digest(prepared.used, recipe.name),
        trained_until=prepared.used[-1].started_at,
        sets=len(prepared.used),
        seconds=prepared.own.total_s,
        fresh=prepared.fresh,
        held_out=held_out_scores(global_without_user, early.unseen, by_share) if is_member else b"",
        missing_sets=sets_missing_to_judge(prepared, beatable=beatable),
        rungs=Rungs(
            own=hits_of(early.evaluated, known),
            everybody=hits_of(global_without_user, late),
            incumbent=_incumbent_hits(incumbent, known),
            former=_incumbent_hits(None if is_member else former, late),
            majority=majority_hits(split.early, late if beatable else ()),
            exercises={row.set_id: row.exercise for row, _ in late},
        ),
    )


@one_blas_thread()
def member_statistics(
    sets: Sequence[LabelledRow], layout: InputLayout, recipe: Recipe
) -> tuple[Statistics, tuple[FreshWindows, ...]]:
    """A member's statistics for the global model, and windows to be stored for the next pass.

    Raises:
        NotEnoughLabels: no set is as long as a window.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.member_sets)
    found = find_windows(used, layout, recipe.windows)
    named = cap_seconds(named_windows(used, found.by_set), recipe.member_s)
    return statistics_of_sets(named), found.fresh


def member_digest(sets: Sequence[LabelledRow], recipe: Recipe) -> str:
    """The digest of the sets that a member gives to the global model."""
    return digest(newest(sets, recipe.member_sets), "")


def _given_statistics(prepared: PreparedSets, recipe: Recipe) -> Statistics:
    """The part of the user's statistics that is in the global model; all, where nothing was cut."""
    named = named_windows(newest(prepared.used, recipe.member_sets), prepared.windows)
    given = cap_seconds(named, recipe.member_s)
    whole = len(given) == len(prepared.used)
    if whole and all(cut is uncut for cut, uncut in zip(given, named, strict=True)):
        return prepared.own
    return framed_statistics(given, prepared.frame)


def _early_models(
    prepared: PreparedSets,
    split: TimeSplit,
    prior_without_user: PooledPrior | None,
    prior: PooledPrior | None,
    layout: InputLayout,
) -> EarlyModels:
    """The models of early sets; where two would be the same, one is fitted for both."""
    frame = prepared.frame
    evaluated = unseen = _early_model(split, frame, prior_without_user, layout)
    if split is not prepared.by_share:
        unseen = _early_model(prepared.by_share, frame, prior_without_user, layout)
    as_shipped = unseen
    if prior_without_user is not prior:
        as_shipped = _early_model(prepared.by_share, frame, prior, layout)
    return EarlyModels(evaluated, unseen, as_shipped)


def _early_model(
    split: TimeSplit, frame: Frame, prior: PooledPrior | None, layout: InputLayout
) -> ExerciseModel | None:
    """The model of the early sets; None when they are too few for one."""
    if split.learned is None:
        return None
    try:
        return fit_framed_user(split.learned, frame, prior, EVALUATION_FIT, model_id=layout)
    except NotEnoughLabels:
        return None


def _shipped_model(
    prepared: PreparedSets,
    late: HeldOutScores | None,
    prior: PooledPrior | None,
    layout: InputLayout,
) -> ExerciseModel:
    """The model of all sets, calibrated by the scores of `EarlyModels.as_shipped` on late ones.

    Both are mixed with the pooled statistics, and for calibration sets are split exercise by
    exercise. So neither membership nor the split that judges changes the bytes of the model.
    """
    model = fit_framed_user(prepared.own, prepared.frame, prior, model_id=layout)
    return replace(model, calibration=calibrate_for_user(model.calibration, late))


def _without_user(
    global_model: GlobalModel | None, given: Statistics | None, layout: InputLayout
) -> tuple[PooledPrior | None, ExerciseModel | None]:
    """The global statistics without this user's, and their model; None when nothing is left."""
    if global_model is None or given is None:
        return (global_model.prior, global_model.model) if global_model else (None, None)
    rest = global_model.prior - given
    try:
        calibration = global_model.model.calibration
        model = fit_framed_global(
            rest.statistics, rest.frame, EVALUATION_FIT, model_id=layout, calibration=calibration
        )
    except NotEnoughLabels:
        return None, None
    return rest, model


def _incumbent_hits(incumbent: Incumbent | None, late: Sequence[SetWithWindows]) -> Hits:
    """The hits of a serving model on sets after its training data."""
    if incumbent is None:
        return hits_of(None, ())
    return hits_of(incumbent.model, covered_sets(incumbent.period, late))
