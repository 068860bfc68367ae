"""A user's labelled sets as windows and their sums: what the exercise family's fits read. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.exercise.fit import GlobalModel
from models.exercise.quantised import QuantisedWindows
from models.exercise.quantised_statistics import (
    ExerciseWindows,
    framed_statistics,
    statistics_of_sets,
)
from models.exercise.statistics import Frame, Statistics, frame_of, total
from pipelines.exercise.labelled import LabelledRow, newest, split_at, split_share
from pipelines.exercise.windows import Fresh, WindowRecipe, windowed
from schemas.errors import NotEnoughLabels
from schemas.inputs import InputLayout


@dataclass(frozen=True, slots=True)
class Recipe:
    """What all users of a run share.

    Attributes:
        name: names everything that decides the bytes beside the sets.
        newest_sets: sets of each exercise that are read.
        everybody_sets: sets of each exercise that a person gives to the global model.
        everybody_s: seconds of each exercise that these count for at most, so that long sets of one
            person, under whatever names, do not outweigh everybody else's.
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
class TimeSplit:
    """A user's sets split in time.

    Attributes:
        early, late: the sets.
        learned: statistics of the early ones, None where they have no window.
    """

    early: Sequence[LabelledRow]
    late: Sequence[LabelledRow]
    learned: Statistics | None


@dataclass(frozen=True, slots=True)
class PreparedSets:
    """A user's sets, windowed and summed up: all that the fits of `learner` read.

    Attributes:
        used: the sets that are read, oldest first.
        windows: set id to windows.
        fresh: windows that were computed just now, to be stored for the next run.
        frame: of all statistics here: the global model's, or the user's own where there is none.
        halves: `used` split by share, whatever the run's cut-off is.
        own: statistics of all of `used`.
    """

    used: Sequence[LabelledRow]
    windows: Mapping[str, QuantisedWindows]
    fresh: tuple[Fresh, ...]
    frame: Frame
    halves: TimeSplit
    own: Statistics

    def split(self, cutoff_at: datetime | None) -> TimeSplit:
        """The sets split at a date, by share where there is none."""
        if cutoff_at is None:
            return self.halves
        early, late = split_at(self.used, cutoff_at)
        return TimeSplit(early, late, _statistics(early, self.windows, self.frame))


def prepare_sets(
    sets: Sequence[LabelledRow],
    model_id: InputLayout,
    recipe: Recipe,
    everybody: GlobalModel | None,
) -> PreparedSets:
    """Sum up a user's sets: each window once, the early ones and the late ones apart.

    Args:
        sets: all labelled sets of the user in one layout, oldest first.
        model_id: the layout.
        recipe: shared by the run.
        everybody: gives the frame; None before there is a global model.

    Raises:
        NotEnoughLabels: no set is as long as a window.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.newest_sets)
    found = windowed(used, model_id, recipe.windows)
    named = named_windows(used, found.of)
    if not any(windows.rows for _, windows in named):
        raise NotEnoughLabels(f"none of {len(used)} labelled sets is as long as a window")
    frame = everybody.prior.frame if everybody else frame_of(statistics_of_sets(named))
    early, late = split_share(used, recipe.cutoff_share)
    learned, rest = (_statistics(half, found.of, frame) for half in (early, late))
    own = total([part for part in (learned, rest) if part is not None])
    return PreparedSets(used, found.of, found.fresh, frame, TimeSplit(early, late, learned), own)


def named_windows(
    sets: Sequence[LabelledRow], windows: Mapping[str, QuantisedWindows]
) -> list[ExerciseWindows]:
    """The windows of each set under the name of its exercise, in the order of the sets."""
    return [(one.exercise, windows[one.set_id]) for one in sets]


def _statistics(
    sets: Sequence[LabelledRow], windows: Mapping[str, QuantisedWindows], frame: Frame
) -> Statistics | None:
    """The statistics of some sets; None where none of them has a window."""
    named = named_windows(sets, windows)
    long = any(one.rows for _, one in named)
    return framed_statistics(named, frame) if long else None
