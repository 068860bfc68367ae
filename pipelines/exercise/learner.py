"""One user's exercise model from his labelled sets. Pure: no Spark, no database, no clock.

The very same function runs on Spark's executors, on one machine (`--engine local`) and in tests.
What ships is learned from *all* sets; what is judged was learned from the early ones only and is
asked about the late ones. Both come from the same statistics, so judging costs one more solve.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from models.exercise.codec import to_bytes
from models.exercise.fit import GlobalModel, Others, fit_others, fit_own
from models.exercise.kept import KeptWindows
from models.exercise.model import ExerciseModel
from models.exercise.needs import lacking
from models.exercise.own_calibration import on_one_user
from models.exercise.statistics import Frame, Statistics, frame_of, total
from models.exercise.summed import Named, at_most, framed_statistics, summed
from pipelines.exercise.calibration import held_to_bytes, said
from pipelines.exercise.judging import Asked, Hits, ask, askable, majority
from pipelines.exercise.labelled import LabelledSet, digest, newest, split_at, split_share
from pipelines.exercise.windows import Fresh, WindowRecipe, windowed
from pipelines.lifecycle.threads import one_blas_thread
from schemas.errors import NotEnoughLabels
from schemas.inputs import InputLayout


@dataclass(frozen=True, slots=True)
class Recipe:
    """What every user of a run shares.

    Attributes:
        name: names everything that decides the bytes beside the sets.
        newest_sets: sets of each exercise that are read.
        everybody_sets: sets of each exercise that a person gives to the global model.
        everybody_s: seconds of each exercise that they count for there at most: long sets of one
            person, under whatever names, are not to outweigh everybody else's.
        cutoff_at: sets from here on are late; None: the last part of each exercise's sets.
        cutoff_share: size of the early part when there is no date.
        windows: how windows are taken from a set.
    """

    name: str
    newest_sets: int = 200
    everybody_sets: int = 20
    everybody_s: float = 60.0
    cutoff_at: datetime | None = None
    cutoff_share: float = 0.7
    windows: WindowRecipe = WindowRecipe()


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A model that serves now, and up to when it had learned."""

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
        own, everybody, incumbent, former, majority: answers of each rung to late sets. `everybody`
            never saw this person; `former` is the global model before it, which is asked about
            nobody whom either has learned from.
        fresh: windows that the next run may find again.
        held: what `everybody` and `own` said, for calibration; b"" of users who are not in it.
        lacking: which sets are missing to judge it by, "" where none are.
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
    former: Hits
    majority: Hits
    fresh: tuple[Fresh, ...]
    held: bytes
    lacking: str


@dataclass(frozen=True, slots=True)
class Halves:
    """A user's sets split in time.

    Attributes:
        early, late: the sets.
        learned: statistics of the early ones, None where they have no window.
    """

    early: Sequence[LabelledSet]
    late: Sequence[LabelledSet]
    learned: Statistics | None


@dataclass(frozen=True, slots=True)
class Lore:
    """All that is known about a user's movement.

    Attributes:
        used: his sets, oldest first.
        windows: set id to windows.
        fresh: those that are to be kept.
        frame: everybody's, or the user's own where there is no global model; of all statistics.
        halves: his sets split by share, as what ships was summed.
        own: statistics of all.
    """

    used: Sequence[LabelledSet]
    windows: Mapping[str, KeptWindows]
    fresh: tuple[Fresh, ...]
    frame: Frame
    halves: Halves
    own: Statistics

    def split(self, cutoff_at: datetime | None) -> Halves:
        """The sets split at a date, by share where there is none."""
        if cutoff_at is None:
            return self.halves
        early, late = split_at(self.used, cutoff_at)
        return Halves(early, late, _statistics(early, self.windows, self.frame))


@one_blas_thread()
def learn_user(
    sets: Sequence[LabelledSet],
    model_id: InputLayout,
    recipe: Recipe,
    everybody: GlobalModel | None = None,
    *,
    in_everybody: bool = False,
    incumbent: Incumbent | None = None,
    former: Incumbent | None = None,
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
        former: the global model that serves now, scored likewise where this user is not in the
            new one: neither knows him then, and they can be compared.

    Raises:
        NotEnoughLabels: fewer than two exercises with enough movement.
        BadSamples: a stored recording does not decode.
    """
    lore = _lore(sets, model_id, recipe, everybody)
    common = everybody.others if everybody else None
    given = _given(lore, recipe) if in_everybody else None
    others, stranger = _without(everybody, given, model_id)
    halves = lore.split(recipe.cutoff_at)
    judged = _judged(halves, lore.frame, others, model_id)
    as_shipped = halves is lore.halves and others is common
    on_trial = judged if as_shipped else _judged(lore.halves, lore.frame, common, model_id)
    shipped = _shipped(lore, on_trial, common, model_id)
    content = to_bytes(shipped)
    asked = askable(halves.late, lore.windows)
    return Learned(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        labels=shipped.labels,
        data_digest=digest(lore.used, recipe.name),
        trained_until=lore.used[-1].started_at,
        sets=len(lore.used),
        seconds=lore.own.total_s,
        fresh=lore.fresh,
        held=held_to_bytes(said(stranger, asked), said(judged, asked)) if in_everybody else b"",
        lacking=lacking(one.exercise for one in lore.used if lore.windows[one.set_id].rows),
        own=ask(judged, asked),
        everybody=ask(stranger, asked),
        incumbent=_ask_incumbent(incumbent, asked),
        former=_ask_incumbent(None if in_everybody else former, asked),
        majority=majority(halves.early, asked),
    )


@one_blas_thread()
def give_to_everybody(
    sets: Sequence[LabelledSet], model_id: InputLayout, recipe: Recipe
) -> tuple[Statistics, tuple[Fresh, ...]]:
    """What a user's sets give to the global model, and windows that may be found again.

    Raises:
        NotEnoughLabels: no set is as long as a window.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.everybody_sets)
    found = windowed(used, model_id, recipe.windows)
    return summed(at_most(_named(used, found.of), recipe.everybody_s)), found.fresh


def _lore(
    sets: Sequence[LabelledSet],
    model_id: InputLayout,
    recipe: Recipe,
    everybody: GlobalModel | None,
) -> Lore:
    """Sum up a user's sets: each window once, the early ones and the late ones apart."""
    used = newest(sets, recipe.newest_sets)
    found = windowed(used, model_id, recipe.windows)
    named = _named(used, found.of)
    if not any(windows.rows for _, windows in named):
        raise NotEnoughLabels(f"none of {len(used)} labelled sets is as long as a window")
    frame = everybody.others.frame if everybody else frame_of(summed(named))
    early, late = split_share(used, recipe.cutoff_share)
    learned, rest = (_statistics(half, found.of, frame) for half in (early, late))
    own = total([part for part in (learned, rest) if part is not None])
    return Lore(used, found.of, found.fresh, frame, Halves(early, late, learned), own)


def _statistics(
    sets: Sequence[LabelledSet], windows: Mapping[str, KeptWindows], frame: Frame
) -> Statistics | None:
    """Of some sets; None where none of them has a window."""
    named = _named(sets, windows)
    long = any(one.rows for _, one in named)
    return framed_statistics(named, frame) if long else None


def _named(sets: Sequence[LabelledSet], windows: Mapping[str, KeptWindows]) -> list[Named]:
    return [(one.exercise, windows[one.set_id]) for one in sets]


def _given(lore: Lore, recipe: Recipe) -> Statistics:
    """What the user gave to everybody: all that he has, where that is not much."""
    all_named = _named(newest(lore.used, recipe.everybody_sets), lore.windows)
    given = at_most(all_named, recipe.everybody_s)
    whole = len(given) == len(lore.used)
    if whole and all(one is own for one, own in zip(given, all_named, strict=True)):
        return lore.own
    return framed_statistics(given, lore.frame)


def _judged(
    halves: Halves, frame: Frame, others: Others | None, model_id: InputLayout
) -> ExerciseModel | None:
    """The model of the early sets; None when they do not carry one."""
    if halves.learned is None:
        return None
    try:
        return fit_own(halves.learned, frame, others, model_id=model_id)
    except NotEnoughLabels:
        return None


def _shipped(
    lore: Lore, on_trial: ExerciseModel | None, common: Others | None, model_id: InputLayout
) -> ExerciseModel:
    """The model of all sets, trusted as far as one of the early sets could be with the late ones.

    Both are mixed with everybody, and the trial splits by share: neither who judges nor the date
    from which on decides the bytes of what ships.
    """
    model = fit_own(lore.own, lore.frame, common, model_id=model_id)
    trial = said(on_trial, askable(lore.halves.late, lore.windows))
    return replace(model, calibration=on_one_user(model.calibration, trial))


def _without(
    everybody: GlobalModel | None, given: Statistics | None, model_id: InputLayout
) -> tuple[Others | None, ExerciseModel | None]:
    """Everybody without what this user gave, and their model; None when nobody is left."""
    if everybody is None or given is None:
        return (everybody.others, everybody.model) if everybody else (None, None)
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
