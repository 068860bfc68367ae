"""One user's exercise model from his labelled sets. Pure: no Spark, no database, no clock.

The very same function runs on Spark's executors, on one machine (`--engine local`) and in tests.
What ships is learned from *all* sets; what is judged was learned from the early ones only and is
asked about the late ones. Both come from the same statistics, so judging costs one more solve.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from models.exercise.calibrate import HeldOut
from models.exercise.codec import model_to_bytes
from models.exercise.examples import SetWindows, statistics_of_sets
from models.exercise.fit import GlobalModel, Others, fit_others, fit_own
from models.exercise.layout import ModelId
from models.exercise.model import ExerciseModel
from models.exercise.own_calibration import on_one_user
from models.exercise.statistics import (
    Frame,
    Statistics,
    frame_of_windows,
    framed_statistics,
)
from pipelines.calibration import held_to_bytes, said
from pipelines.judging import Asked, Hits, ask, askable, majority
from pipelines.labelled import LabelledSet, digest, newest, split_at, split_share
from pipelines.threads import one_blas_thread
from pipelines.windows import Fresh, WindowRecipe, windowed
from schemas.errors import NotEnoughLabels


@dataclass(frozen=True, slots=True)
class Recipe:
    """What every user of a run shares.

    Attributes:
        name: names everything that decides the bytes beside the sets.
        newest_sets: sets of each exercise that are read.
        everybody_sets: sets of each exercise that a person gives to the global model.
        cutoff_at: sets from here on are late; None: the last part of each exercise's sets.
        cutoff_share: size of the early part when there is no date.
        windows: how windows are taken from a set.
    """

    name: str
    newest_sets: int = 200
    everybody_sets: int = 20
    cutoff_at: datetime | None = None
    cutoff_share: float = 0.7
    windows: WindowRecipe = WindowRecipe()


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The user's model that serves now, and up to when it had learned."""

    model: ExerciseModel
    trained_until: datetime


@dataclass(frozen=True, slots=True)
class Learned:
    """A user's new model and how it was judged.

    Attributes:
        content: bytes of the model; `sha256` is their hash.
        labels: the exercises that it knows.
        data_digest: of the sets and the recipe it was learned from.
        trained_until: begin of the newest set in it.
        sets: number of sets read.
        seconds: of movement in them, in windows.
        own, everybody, incumbent, majority: answers of each rung to late sets; `everybody` never
            saw this person.
        fresh: windows that the next run may find again.
        held: what `everybody` and `own` said, for calibration; b"" of users who are not in it.
    """

    content: bytes
    sha256: bytes
    labels: tuple[str, ...]
    data_digest: str
    trained_until: datetime
    sets: int
    seconds: float
    own: Hits
    everybody: Hits
    incumbent: Hits
    majority: Hits
    fresh: tuple[Fresh, ...]
    held: bytes


@dataclass(frozen=True, slots=True)
class Halves:
    """A user's sets split in time, with their statistics in one frame.

    Attributes:
        early, late: the sets.
        learned: statistics of the early ones, None where they have no window.
        own: statistics of all.
        frame: everybody's, or the user's own where there is no global model.
    """

    early: Sequence[LabelledSet]
    late: Sequence[LabelledSet]
    learned: Statistics | None
    own: Statistics
    frame: Frame


@one_blas_thread()
def learn_user(
    sets: Sequence[LabelledSet],
    model_id: ModelId,
    recipe: Recipe,
    everybody: GlobalModel | None = None,
    *,
    in_everybody: bool = False,
    incumbent: Incumbent | None = None,
) -> Learned:
    """Learn and judge one user's model.

    Args:
        sets: all labelled sets of the user in one layout, oldest first.
        model_id: the layout.
        recipe: shared by the run.
        everybody: the global model; None before there is one.
        in_everybody: whether these very sets are among the global model's; they are taken out of
            it before it is asked about this user.
        incumbent: scored on late sets that began after it had learned.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.newest_sets)
    found = windowed(used, model_id, recipe.windows)
    halves = _halves(used, found.of, recipe, everybody)
    common = others = everybody.others if everybody else None
    stranger = everybody.model if everybody else None
    if everybody is not None and in_everybody:
        given = newest(used, recipe.everybody_sets)
        others, stranger = _without(everybody, _framed(given, found.of, halves), model_id)
    asked = askable(halves.late, found.of)
    judged = _judged(halves, others, model_id)
    by_share, on_trial = halves, judged
    if recipe.cutoff_at is not None:
        by_share = _halves(used, found.of, replace(recipe, cutoff_at=None), everybody)
    if by_share is not halves or others is not common:
        on_trial = _judged(by_share, common, model_id)
    shipped = fit_own(halves.own, halves.frame, common, model_id=model_id)
    shipped = _trusted(shipped, said(on_trial, askable(by_share.late, found.of)))
    content = model_to_bytes(shipped)
    return Learned(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        labels=shipped.labels,
        data_digest=digest(used, recipe.name),
        trained_until=used[-1].started_at,
        sets=len(used),
        seconds=halves.own.total_s,
        own=ask(judged, asked),
        everybody=ask(stranger, asked),
        incumbent=_ask_incumbent(incumbent, asked),
        majority=majority(halves.early, asked),
        fresh=found.fresh,
        held=held_to_bytes(said(stranger, asked), said(judged, asked)) if in_everybody else b"",
    )


@one_blas_thread()
def give_to_everybody(
    sets: Sequence[LabelledSet], model_id: ModelId, recipe: Recipe
) -> tuple[Statistics, tuple[Fresh, ...]]:
    """What a user's sets give to the global model, and windows that may be found again.

    Raises:
        NotEnoughLabels: no set is as long as a window.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.everybody_sets)
    found = windowed(used, model_id, recipe.windows)
    return statistics_of_sets([(one.exercise, found.of[one.set_id]) for one in used]), found.fresh


def _halves(
    used: Sequence[LabelledSet],
    windows: Mapping[str, SetWindows],
    recipe: Recipe,
    everybody: GlobalModel | None,
) -> Halves:
    long = [windows[one.set_id].x for one in used if len(windows[one.set_id].x)]
    if not long:
        raise NotEnoughLabels(f"none of {len(used)} labelled sets is as long as a window")
    frame = everybody.others.frame if everybody else frame_of_windows(np.concatenate(long))
    if recipe.cutoff_at is None:
        early, late = split_share(used, recipe.cutoff_share)
    else:
        early, late = split_at(used, recipe.cutoff_at)
    own = framed_statistics(_parts(used, windows), frame)
    learned = None
    if any(len(windows[one.set_id].x) for one in early):
        learned = framed_statistics(_parts(early, windows), frame)
    return Halves(early, late, learned, own, frame)


def _parts(
    sets: Sequence[LabelledSet], windows: Mapping[str, SetWindows]
) -> list[tuple[str, str, float, np.ndarray]]:
    found = [(one.exercise, windows[one.set_id]) for one in sets]
    return [(exercise, w.side, w.window_s, w.x) for exercise, w in found]


def _framed(
    given: Sequence[LabelledSet], windows: Mapping[str, SetWindows], halves: Halves
) -> Statistics:
    """What the user gave to everybody: mostly all that he has."""
    if len(given) == len(halves.early) + len(halves.late):
        return halves.own
    return framed_statistics(_parts(given, windows), halves.frame)


def _judged(halves: Halves, others: Others | None, model_id: ModelId) -> ExerciseModel | None:
    """The model of the early sets; None when they do not carry one."""
    if halves.learned is None:
        return None
    try:
        return fit_own(halves.learned, halves.frame, others, model_id=model_id)
    except NotEnoughLabels:
        return None


def _trusted(model: ExerciseModel, trial: HeldOut | None) -> ExerciseModel:
    """The model, as far as one of the early sets could be trusted with the late ones.

    Neither who judges nor the date from which on decides the bytes of what ships.
    """
    return replace(model, calibration=on_one_user(model.calibration, trial))


def _without(
    everybody: GlobalModel, given: Statistics, model_id: ModelId
) -> tuple[Others | None, ExerciseModel | None]:
    """Everybody else and the global model of them; None when nobody else is left."""
    rest = everybody.others - given
    try:
        model = fit_others(
            rest.statistics, rest.frame, model_id=model_id, calibration=everybody.model.calibration
        )
    except NotEnoughLabels:
        return None, None
    return rest, model


def _ask_incumbent(incumbent: Incumbent | None, asked: Sequence[Asked]) -> Hits:
    """What serves now, about sets that began after it had learned."""
    if incumbent is None:
        return ask(None, ())
    since = incumbent.trained_until
    return ask(incumbent.model, [pair for pair in asked if pair[0].started_at > since])
