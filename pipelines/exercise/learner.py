"""One user's exercise model from their labelled sets. Pure: no Spark, no database, no clock.

The same function runs on Spark's executors, on one machine (`--engine local`) and in tests. The
model that ships is learned from *all* sets. The one that is judged is learned from the early sets
only and asked about the late ones. Both come from the same statistics, so that judging costs one
more solve.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from models.exercise.codec import to_bytes
from models.exercise.discriminant import FitSettings
from models.exercise.fit import GlobalModel, PooledPrior, fit_framed_global, fit_framed_user
from models.exercise.minimum_sets import missing_sets
from models.exercise.model import ExerciseModel
from models.exercise.quantised_statistics import cap_seconds, framed_statistics, statistics_of_sets
from models.exercise.statistics import Frame, Statistics
from models.exercise.user_calibration import calibrate_for_user
from pipelines.exercise.calibration import answers_of, held_answers
from pipelines.exercise.judging import Hits, SetWithWindows, ask, askable, majority
from pipelines.exercise.labelled import LabelledRow, digest, newest
from pipelines.exercise.prepared import PreparedSets, Recipe, TimeSplit, named_windows, prepare_sets
from pipelines.exercise.windows import Fresh, windowed
from pipelines.lifecycle.threads import one_blas_thread
from schemas.errors import NotEnoughLabels
from schemas.inputs import InputLayout

JUDGED = FitSettings(low_rate=False)  # by windows that are kept, which say nothing of a rate


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A model that serves now, and up to when it had learned."""

    model: ExerciseModel
    trained_until: datetime


@dataclass(frozen=True, slots=True)
class LearnedModel:
    """A user's new model and how it was judged.

    Attributes:
        content: bytes of the model.
        labels: the exercises that it knows.
        data_digest: of the sets and the recipe it was learned from.
        trained_until: begin of the newest set in it.
        sets: number of sets read.
        seconds: of movement in them, in windows.
        own, everybody, incumbent, former, majority: each rung's answers to late sets. `everybody`
            was learned without this person; `former` is the global model before it, and is asked
            only about people whom neither was learned from.
        fresh: windows that the next run may find again.
        held: the answers of `everybody` and `own`, for calibration; b"" of users who are not
            members.
        lacking: which sets are missing to judge it by, "" where none are.
    """

    content: bytes
    labels: tuple[str, ...]
    data_digest: str
    trained_until: datetime
    sets: int
    seconds: float
    own: Hits
    everybody: Hits
    incumbent: Hits
    former: Hits
    majority: Hits
    fresh: tuple[Fresh, ...]
    held: bytes
    lacking: str

    @property
    def sha256(self) -> bytes:
        """The hash of `content`."""
        return hashlib.sha256(self.content).digest()


@one_blas_thread()
def learn_user(
    sets: Sequence[LabelledRow],
    model_id: InputLayout,
    recipe: Recipe,
    everybody: GlobalModel | None = None,
    *,
    in_everybody: bool = False,
    incumbent: Incumbent | None = None,
    former: Incumbent | None = None,
) -> LearnedModel:
    """Learn and judge one user's model.

    Args:
        sets: all labelled sets of the user in one layout, oldest first.
        model_id: the layout.
        recipe: shared by the run.
        everybody: the global model; None before there is one.
        in_everybody: whether these sets are in `everybody`; they are taken out before it is asked.
        incumbent: scored on late sets that began after it had learned.
        former: the global model that serves now, scored likewise where neither knows the user.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
        BadSamples: a stored recording does not decode.
    """
    prepared = prepare_sets(sets, model_id, recipe, everybody)
    common = everybody.prior if everybody else None
    given = _given(prepared, recipe) if in_everybody else None
    others, stranger = _without(everybody, given, model_id)
    halves = prepared.split(recipe.cutoff_at)
    judged, on_trial = _early_models(prepared, halves, others, common, model_id)
    shipped = _shipped(prepared, on_trial, common, model_id)
    asked = askable(halves.late, prepared.windows)
    moved = [one.exercise for one in prepared.used if prepared.windows[one.set_id].rows]
    return LearnedModel(
        content=to_bytes(shipped),
        labels=shipped.labels,
        data_digest=digest(prepared.used, recipe.name),
        trained_until=prepared.used[-1].started_at,
        sets=len(prepared.used),
        seconds=prepared.own.total_s,
        fresh=prepared.fresh,
        held=held_answers(stranger, judged, asked) if in_everybody else b"",
        lacking=missing_sets(moved),
        own=ask(judged, asked),
        everybody=ask(stranger, asked),
        incumbent=_ask_incumbent(incumbent, asked),
        former=_ask_incumbent(None if in_everybody else former, asked),
        majority=majority(halves.early, asked),
    )


@one_blas_thread()
def give_to_everybody(
    sets: Sequence[LabelledRow], model_id: InputLayout, recipe: Recipe
) -> tuple[Statistics, tuple[Fresh, ...]]:
    """What a user's sets give to the global model, and windows that may be found again.

    Raises:
        NotEnoughLabels: no set is as long as a window.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.everybody_sets)
    found = windowed(used, model_id, recipe.windows)
    return statistics_of_sets(
        cap_seconds(named_windows(used, found.of), recipe.everybody_s)
    ), found.fresh


def _given(prepared: PreparedSets, recipe: Recipe) -> Statistics:
    """Statistics that the user gave to the global model: all of them, where that is not much."""
    all_named = named_windows(newest(prepared.used, recipe.everybody_sets), prepared.windows)
    given = cap_seconds(all_named, recipe.everybody_s)
    whole = len(given) == len(prepared.used)
    if whole and all(one is own for one, own in zip(given, all_named, strict=True)):
        return prepared.own
    return framed_statistics(given, prepared.frame)


def _early_models(
    prepared: PreparedSets,
    halves: TimeSplit,
    others: PooledPrior | None,
    common: PooledPrior | None,
    model_id: InputLayout,
) -> tuple[ExerciseModel | None, ExerciseModel | None]:
    """The model that is judged, and the one that tells how far the shipped one is trusted.

    The first is learned without the late sets of `halves` and mixed with `others`, without this
    user. The second is split and mixed as the model that ships: see `_shipped`. Where the two would
    be the same, one is fitted for both.
    """
    judged = _judged(halves, prepared.frame, others, model_id)
    if halves is prepared.halves and others is common:
        return judged, judged
    return judged, _judged(prepared.halves, prepared.frame, common, model_id)


def _judged(
    halves: TimeSplit, frame: Frame, others: PooledPrior | None, model_id: InputLayout
) -> ExerciseModel | None:
    """The model of the early sets; None when they do not carry one."""
    if halves.learned is None:
        return None
    try:
        return fit_framed_user(halves.learned, frame, others, JUDGED, model_id=model_id)
    except NotEnoughLabels:
        return None


def _shipped(
    prepared: PreparedSets,
    on_trial: ExerciseModel | None,
    common: PooledPrior | None,
    model_id: InputLayout,
) -> ExerciseModel:
    """The model of all sets, calibrated by how one of the early sets did on the late ones.

    Both are mixed with everybody, and the trial splits the sets by share. So neither the judges nor
    the cut-off date of a run change the bytes of what ships.
    """
    model = fit_framed_user(prepared.own, prepared.frame, common, model_id=model_id)
    trial = answers_of(on_trial, askable(prepared.halves.late, prepared.windows))
    return replace(model, calibration=calibrate_for_user(model.calibration, trial))


def _without(
    everybody: GlobalModel | None, given: Statistics | None, model_id: InputLayout
) -> tuple[PooledPrior | None, ExerciseModel | None]:
    """Everybody without what this user gave, and their model; None when nobody is left."""
    if everybody is None or given is None:
        return (everybody.prior, everybody.model) if everybody else (None, None)
    rest = everybody.prior - given
    try:
        calibration = everybody.model.calibration
        model = fit_framed_global(
            rest.statistics, rest.frame, JUDGED, model_id=model_id, calibration=calibration
        )
    except NotEnoughLabels:
        return None, None
    return rest, model


def _ask_incumbent(incumbent: Incumbent | None, asked: Sequence[SetWithWindows]) -> Hits:
    """The answers of the model that serves now, about sets after its newest one."""
    if incumbent is None:
        return ask(None, ())
    since = incumbent.trained_until
    return ask(incumbent.model, [pair for pair in asked if pair[0].started_at > since])
