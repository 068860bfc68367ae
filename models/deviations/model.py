"""What was planned, what was done, and the row that compares them."""

from dataclasses import dataclass
from typing import Literal

DeviationKind = Literal["as_planned", "reps", "weight", "intensity", "order", "missed", "extra"]


@dataclass(frozen=True, slots=True)
class Target:
    """One set, planned or done. A number that was not asked for, or not recorded, is None.

    Attributes:
        exercise: its name.
        reps: repetitions.
        weight_kg: weight in kilograms.
        intensity: 0 (nothing) to 1 (all that was possible).
    """

    exercise: str
    reps: int | None = None
    weight_kg: float | None = None
    intensity: float | None = None


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far a done set may lie from its plan and still be as planned (inclusive).

    Attributes:
        reps: repetitions.
        weight_kg: kilograms: half of the smallest usual plate step.
        intensity: on the scale of 0 to 1: half of one step of a ten-step scale of effort.
    """

    reps: int = 0
    weight_kg: float = 0.625
    intensity: float = 0.05


DEFAULT_TOLERANCES = Tolerances()


@dataclass(frozen=True, slots=True)
class Deviation:
    """One row: a planned set with the done set that answers it, or either of them alone.

    Attributes:
        position: 0, 1, 2 ...: planned sets in the order of the plan, then extra sets as done.
        planned: number of the set in the plan, or None for an extra set.
        done: number of the set in what was done, or None for a missed set.
        kinds: what happened; `as_planned`, `missed` and `extra` stand alone.
    """

    position: int
    planned: int | None
    done: int | None
    kinds: frozenset[DeviationKind]
