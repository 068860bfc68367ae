"""Labelled movement cut into training and test parts of a trial."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.exercise.evaluate import LabelledWindows, labelled_windows
from models.exercise.examples import DEFAULT_EXAMPLES, ExampleSettings, set_windows
from models.exercise.layout import layout_of
from models.exercise.quantised import quantise
from models.exercise.quantised_statistics import statistics_of_sets
from models.exercise.statistics import Statistics, total
from models.signal.wrist import WristSignal, slice_of
from schemas.inputs import ACC3, ACC6

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Movement:
    """A labelled set of one person.

    Attributes:
        person: whose.
        day: when, "" where the source does not say.
        exercise: its name.
        variant: a finer name, "" where there is none.
        signals: the set at 50 Hz.
        seed: of the rotations of its copies; None: derived from the other fields.
    """

    person: str
    day: str
    exercise: str
    variant: str
    signals: tuple[WristSignal, ...]
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class GroupData:
    """The training statistics of a group of sets, and their windows for evaluation."""

    statistics: Statistics
    evaluation_windows: tuple[LabelledWindows, ...]


def part(movement: Movement, start: float, end: float) -> Movement:
    """The part of every signal from one share of its length to another; no sample in two parts."""
    return replace(movement, signals=tuple(_slice(s, start, end) for s in movement.signals))


def without_rotation(movement: Movement) -> Movement:
    """The same set without rotation, as of a device without a gyroscope."""
    signals = tuple(replace(s, gyro_rad_s=None) for s in movement.signals)
    return replace(movement, signals=signals)


def training_statistics(
    movements: Sequence[Movement], settings: ExampleSettings = DEFAULT_EXAMPLES
) -> Statistics:
    """Statistics of these sets, from quantised windows as in training; of one layout.

    Raises:
        NotEnoughLabels: none of them is long enough.
    """
    movements = of_one_layout(movements)
    return statistics_of_sets(
        [
            (m.exercise, quantise(set_windows(m.signals, seed=seed_of(m), settings=settings)))
            for m in movements
        ]
    )


def of_one_layout(movements: Sequence[Movement]) -> list[Movement]:
    """The sets with their signals of one layout: with rotation, if any of them has it.

    A sensor that is stuck for ten seconds leaves signals of both layouts in one set. Models read
    one; a set without a signal of it is left out.
    """
    layouts = {layout_of(signal) for m in movements for signal in m.signals}
    layout = ACC6 if ACC6 in layouts else ACC3
    kept = [
        replace(m, signals=tuple(s for s in m.signals if layout_of(s) == layout)) for m in movements
    ]
    return [m for m in kept if m.signals]


def with_windows(movements: Sequence[Movement]) -> list[Movement]:
    """The sets that can be learned and asked: of one layout, and with a window.

    Sets that are shorter than a window, or mostly filled, have none.
    """
    return [m for m in of_one_layout(movements) if evaluation_windows([m])]


def seed_of(movement: Movement) -> int:
    """The seed of the rotations of a set's copies; derived from the set where none is given."""
    if movement.seed is not None:
        return movement.seed
    name = f"{movement.person}/{movement.exercise}/{movement.signals[0].t0_ns}"
    return zlib.crc32(name.encode())


def evaluation_windows(movements: Sequence[Movement]) -> tuple[LabelledWindows, ...]:
    """Windows for evaluation of every set that has one."""
    windows = [labelled_windows(m.signals, m.exercise) for m in movements]
    return tuple(w for w in windows if w is not None)


def group_data(movements: Sequence[Movement]) -> GroupData:
    """The data of a group of sets, for either side of a split.

    Raises:
        NotEnoughLabels: none of them is long enough.
    """
    return GroupData(training_statistics(movements), evaluation_windows(movements))


def total_statistics(groups: Mapping[str, GroupData]) -> Statistics:
    """The sum of the statistics of all groups."""
    return total([group.statistics for group in groups.values()])


def exercises(movements: Sequence[Movement]) -> tuple[str, ...]:
    """The names of all exercises, in ascending order."""
    return tuple(sorted({m.exercise for m in movements}))


def people(movements: Sequence[Movement]) -> dict[str, list[Movement]]:
    """Sets by person, persons in ascending order."""
    by_person: dict[str, list[Movement]] = {
        name: [] for name in sorted({m.person for m in movements})
    }
    for movement in movements:
        by_person[movement.person].append(movement)
    return by_person


def person_folds(names: Sequence[str]) -> list[list[str]]:
    """Five groups of people, taken in turn.

    >>> person_folds(["a", "b", "c", "d", "e", "f"])[0]
    ['a', 'f']
    """
    return [list(names[k::FOLDS]) for k in range(min(FOLDS, len(names)))]


def _slice(signal: WristSignal, start: float, end: float) -> WristSignal:
    n = len(signal.acc_g)
    return slice_of(signal, round(start * n), round(end * n))
