"""A user's labelled sets as windows and sufficient statistics, the input of the fits. Pure."""

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
from pipelines.exercise.labelled import (
    LabelledRow,
    newest,
    split_at,
    split_judged,
    split_share,
)
from pipelines.exercise.windows import FreshWindows, WindowRecipe, find_windows
from schemas.errors import NotEnoughLabels
from schemas.inputs import InputLayout


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings that all users of a run share.

    Attributes:
        name: names everything besides the sets that decides a model's bytes.
        newest_sets: sets of each exercise that are read.
        member_sets: sets of each exercise that a member gives to the global model.
        member_s: seconds of each exercise that these count for at most, so that long sets of one
            member do not outweigh everybody else's.
        cutoff_at: sets from this time on are late; None: the user's last sessions, see
            `split_judged`.
        cutoff_share: size of the early part when there is no date.
        windows: how windows are taken from a set.
    """

    name: str
    newest_sets: int = 200
    member_sets: int = 20
    member_s: float = 60.0
    cutoff_at: datetime | None = None
    cutoff_share: float = 0.7
    windows: WindowRecipe = WindowRecipe()


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """A user's sets split in time.

    Attributes:
        early: the sets to learn from.
        late: the later ones.
        learned: statistics of the early ones, None where they have no window.
    """

    early: Sequence[LabelledRow]
    late: Sequence[LabelledRow]
    learned: Statistics | None


@dataclass(frozen=True, slots=True)
class PreparedSets:
    """A user's sets with their windows and statistics: all that the fits of `learner` read.

    Attributes:
        used: the sets that are read, oldest first.
        windows: set id to windows.
        fresh: windows that were computed now, to be stored for the next run.
        frame: of all statistics here: the global model's, or the user's own where there is none.
        by_share: `used` split exercise by exercise, however the run judges.
        own: statistics of all of `used`.
    """

    used: Sequence[LabelledRow]
    windows: Mapping[str, QuantisedWindows]
    fresh: tuple[FreshWindows, ...]
    frame: Frame
    by_share: TimeSplit
    own: Statistics

    def split(self, recipe: Recipe) -> TimeSplit:
        """The sets by which the run judges: split at a date, or between sessions without one.

        It is `by_share` where that has the same early sets.
        """
        if recipe.cutoff_at is None:
            early, late = split_judged(
                self.used,
                recipe.cutoff_share,
                teaches=lambda row: bool(self.windows[row.set_id].rows),
                judges=lambda row: bool(self.windows[row.set_id].evaluation_rows),
            )
        else:
            early, late = split_at(self.used, recipe.cutoff_at)
            late = late if early else []  # who came after the date tells nothing about it
        if early == self.by_share.early:
            return self.by_share
        return TimeSplit(early, late, _statistics(early, self.windows, self.frame))


def prepare_sets(
    sets: Sequence[LabelledRow],
    layout: InputLayout,
    recipe: Recipe,
    global_model: GlobalModel | None,
) -> PreparedSets:
    """Compute the statistics of a user's sets: each window once, early and late sets apart.

    Args:
        sets: all labelled sets of the user in one layout, oldest first.
        layout: which.
        recipe: shared by the run.
        global_model: gives the frame; None before there is one.

    Raises:
        NotEnoughLabels: no set is as long as a window.
        BadSamples: a stored recording does not decode.
    """
    used = newest(sets, recipe.newest_sets)
    found = find_windows(used, layout, recipe.windows)
    windows = found.by_set
    named = named_windows(used, windows)
    if not any(kept.rows for _, kept in named):
        raise NotEnoughLabels(f"none of {len(used)} labelled sets is as long as a window")
    frame = global_model.prior.frame if global_model else frame_of(statistics_of_sets(named))
    early, late = split_share(used, recipe.cutoff_share)
    learned, rest = (_statistics(sets, windows, frame) for sets in (early, late))
    own = total([part for part in (learned, rest) if part is not None])
    return PreparedSets(used, windows, found.fresh, frame, TimeSplit(early, late, learned), own)


def named_windows(
    sets: Sequence[LabelledRow], windows: Mapping[str, QuantisedWindows]
) -> list[ExerciseWindows]:
    """The windows of each set under the name of its exercise, in the order of the sets."""
    return [(row.exercise, windows[row.set_id]) for row in sets]


def _statistics(
    sets: Sequence[LabelledRow], windows: Mapping[str, QuantisedWindows], frame: Frame
) -> Statistics | None:
    """The statistics of some sets; None where none of them has a window."""
    named = named_windows(sets, windows)
    any_window = any(kept.rows for _, kept in named)
    return framed_statistics(named, frame) if any_window else None
