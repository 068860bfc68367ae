"""One user's exercise model from his labelled sets. Pure: no Spark, no database, no clock.

The very same function runs on Spark's executors, on one machine (`--engine local`) and in tests.
What ships is learned from *all* sets; what is judged was learned from the early ones only and is
asked about the late ones. Both come from the same statistics, so judging costs one more solve.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.exercise.codec import model_to_bytes
from models.exercise.evaluate import LabelledWindows, labelled_windows
from models.exercise.examples import set_statistics
from models.exercise.fit import GlobalModel, fit_global, fit_user
from models.exercise.layout import ModelId
from models.exercise.model import ExerciseModel
from models.exercise.statistics import Statistics
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.gate import COUNTED_SOURCES
from pipelines.labelled import LabelledSet, digest, newest, split_at, split_share
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
        seed: of the turned copies.
    """

    name: str
    newest_sets: int = 200
    everybody_sets: int = 20
    cutoff_at: datetime | None = None
    cutoff_share: float = 0.7
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The user's model that serves now, and up to when it had learned."""

    model: ExerciseModel
    trained_until: datetime


@dataclass(frozen=True, slots=True)
class Hits:
    """Right answers to late sets.

    Attributes:
        sets: set id to whether the set was named right.
        windows, right_windows: counts over the same sets.
    """

    sets: Mapping[str, bool]
    windows: int
    right_windows: int


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
    early, late = _split(used, recipe)
    given = newest(used, recipe.everybody_sets) if in_everybody else []
    sums = _sums(used, {"own": used, "early": early, "given": given}, recipe)
    if "own" not in sums:
        raise NotEnoughLabels(f"none of {len(used)} labelled sets is as long as a window")
    shipped = fit_user(sums["own"], everybody, model_id=model_id)
    others = _without(everybody, sums.get("given"), model_id)
    judged = _judged(sums.get("early"), others, model_id)
    asked = [(one, windows) for one in late if (windows := windows_of(one)) is not None]
    unseen = [
        pair
        for pair in asked
        if incumbent is not None and pair[0].started_at > incumbent.trained_until
    ]
    content = model_to_bytes(shipped)
    return Learned(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        labels=shipped.labels,
        data_digest=digest(used, recipe.name),
        trained_until=used[-1].started_at,
        sets=len(used),
        seconds=sums["own"].total_s,
        own=ask(judged, asked),
        everybody=ask(others.model if others else None, asked),
        incumbent=ask(incumbent.model if incumbent else None, unseen),
        majority=_majority(early, asked),
    )


def give_to_everybody(sets: Sequence[LabelledSet], recipe: Recipe) -> Statistics:
    """What a user's sets give to the global model.

    Raises:
        NotEnoughLabels: no set is as long as a window.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.everybody_sets)
    sums = _sums(used, {"given": used}, recipe)
    if "given" not in sums:
        raise NotEnoughLabels(f"none of {len(used)} labelled sets is as long as a window")
    return sums["given"]


def statistics_of_set(one: LabelledSet, seed: int) -> Statistics | None:
    """A set's statistics, None where it is shorter than a window.

    The turns of its copies depend on its id and the seed only.

    Raises:
        BadSamples: its recording does not decode.
    """
    signals = wrist_signals(unpack_pieces(one.samples))
    own_seed = (UUID(one.set_id).int ^ seed) % 2**63
    try:
        return set_statistics(signals, one.exercise, seed=own_seed)
    except NotEnoughLabels:
        return None


def windows_of(one: LabelledSet) -> LabelledWindows | None:
    """A late set as it would be asked about over HTTP; None if it cannot count as truth."""
    if one.label_source not in COUNTED_SOURCES:
        return None
    return labelled_windows(wrist_signals(unpack_pieces(one.samples)), one.exercise)


def ask(model: ExerciseModel | None, asked: Sequence[tuple[LabelledSet, LabelledWindows]]) -> Hits:
    """What a rung answers; no answers where the rung does not exist."""
    if model is None:
        return Hits({}, 0, 0)
    answers = [(one, model.answer_windows(w.t0_ns, w.x)) for one, w in asked]
    windows = [each.exercise == one.exercise for one, a in answers for each in a.windows]
    sets = {one.set_id: a.guess == one.exercise for one, a in answers}
    return Hits(sets, len(windows), sum(windows))


def _sums(
    sets: Sequence[LabelledSet], groups: Mapping[str, Sequence[LabelledSet]], recipe: Recipe
) -> dict[str, Statistics]:
    """Sum each group's statistics, oldest set first; a group without a window is left out.

    One set's statistics are two megabytes: they are added up as they come and not kept.
    """
    members = {name: {one.set_id for one in group} for name, group in groups.items()}
    sums: dict[str, Statistics] = {}
    for one in sets:
        statistics = statistics_of_set(one, recipe.seed)
        if statistics is None:
            continue
        for name in members:
            if one.set_id in members[name]:
                sums[name] = sums[name] + statistics if name in sums else statistics
    return sums


def _split(
    used: Sequence[LabelledSet], recipe: Recipe
) -> tuple[list[LabelledSet], list[LabelledSet]]:
    if recipe.cutoff_at is None:
        return split_share(used, recipe.cutoff_share)
    return split_at(used, recipe.cutoff_at)


def _judged(
    early: Statistics | None, others: GlobalModel | None, model_id: ModelId
) -> ExerciseModel | None:
    """The model of the early sets; None when they do not carry one."""
    if early is None:
        return None
    try:
        return fit_user(early, others, model_id=model_id)
    except NotEnoughLabels:
        return None


def _without(
    everybody: GlobalModel | None, given: Statistics | None, model_id: ModelId
) -> GlobalModel | None:
    """The global model of everybody else; None when nobody else is left."""
    if everybody is None or given is None:
        return everybody
    try:
        return fit_global(
            everybody.statistics - given,
            model_id=model_id,
            calibration=everybody.model.calibration,
            own_calibration=everybody.own_calibration,
        )
    except NotEnoughLabels:
        return None


def _majority(
    early: Sequence[LabelledSet], asked: Sequence[tuple[LabelledSet, LabelledWindows]]
) -> Hits:
    """Always the exercise that the user did most often before."""
    counts = Counter(one.exercise for one in early)
    most = min(counts, key=lambda name: (-counts[name], name), default="")
    right = [(one, w, one.exercise == most) for one, w in asked]
    windows = sum(len(w.x) for _, w, _ in right)
    return Hits(
        {one.set_id: hit for one, _, hit in right},
        windows,
        sum(len(w.x) for _, w, hit in right if hit),
    )
