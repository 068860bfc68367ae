"""Labelled movement cut for a trial: by share of each set, learned from, or asked about."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.exercise.evaluate import LabelledWindows, labelled_windows
from models.exercise.examples import ExampleSettings, windows_of_sets
from models.exercise.kept import keep
from models.exercise.kept_statistics import statistics_of_sets
from models.exercise.statistics import Statistics, total
from models.signal.wrist import WristSignal, slice_of

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Movement:
    """A labelled set of somebody.

    Attributes:
        person: who.
        day: when, "" where the source does not say.
        exercise: its name.
        variant: a finer name, "" where there is none.
        signals: the set at 50 Hz.
        seed: of the turns of its copies, None: made of what it is.
    """

    person: str
    day: str
    exercise: str
    variant: str
    signals: tuple[WristSignal, ...]
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """What some sets teach, and their windows as they are asked."""

    learned: Statistics
    asked: tuple[LabelledWindows, ...]


def part(movement: Movement, start: float, end: float) -> Movement:
    """The part of every signal from one share of its length to another; no sample in two parts."""
    return replace(movement, signals=tuple(_slice(s, start, end) for s in movement.signals))


def without_rotation(movement: Movement) -> Movement:
    """The same as a device without a gyroscope would have recorded it."""
    signals = tuple(replace(s, gyro_rad_s=None) for s in movement.signals)
    return replace(movement, signals=signals)


def learned_of(
    movements: Sequence[Movement], settings: ExampleSettings | None = None
) -> Statistics:
    """What these sets teach, by the functions and from the form of windows that training uses.

    Raises:
        NotEnoughLabels: none of them is long enough.
    """
    found = windows_of_sets([(m.signals, seed_of(m)) for m in movements], settings)
    return statistics_of_sets(
        [(m.exercise, keep(w)) for m, w in zip(movements, found, strict=True)]
    )


def seed_of(movement: Movement) -> int:
    """Of the turns of a set's copies: made of what it is, where none is given."""
    if movement.seed is not None:
        return movement.seed
    name = f"{movement.person}/{movement.exercise}/{movement.signals[0].t0_ns}"
    return zlib.crc32(name.encode())


def asked(movements: Sequence[Movement]) -> tuple[LabelledWindows, ...]:
    """Windows of every set that has one."""
    found = [labelled_windows(m.signals, m.exercise) for m in movements]
    return tuple(w for w in found if w is not None)


def taught(movements: Sequence[Movement]) -> Taught:
    """These sets for both sides of a split.

    Raises:
        NotEnoughLabels: none of them is long enough.
    """
    return Taught(learned_of(movements), asked(movements))


def all_learned(several: Mapping[str, Taught]) -> Statistics:
    """What all of them teach together."""
    return total([one.learned for one in several.values()])


def exercises(movements: Sequence[Movement]) -> tuple[str, ...]:
    """The names of all exercises, in ascending order."""
    return tuple(sorted({m.exercise for m in movements}))


def people(movements: Sequence[Movement]) -> dict[str, list[Movement]]:
    """Sets by person, persons in ascending order."""
    found: dict[str, list[Movement]] = {name: [] for name in sorted({m.person for m in movements})}
    for movement in movements:
        found[movement.person].append(movement)
    return found


def person_folds(names: Sequence[str]) -> list[list[str]]:
    """Five groups of people, taken in turn.

    >>> person_folds(["a", "b", "c", "d", "e", "f"])[0]
    ['a', 'f']
    """
    return [list(names[k::FOLDS]) for k in range(min(FOLDS, len(names)))]


def _slice(signal: WristSignal, start: float, end: float) -> WristSignal:
    n = len(signal.acc_g)
    return slice_of(signal, round(start * n), round(end * n))
