"""Repetitions of known form."""

import numpy as np

from models.form.model import CountedSet
from models.reps.measure import Repetition


def repetition(
    start_s: float,
    duration_s: float = 2.0,
    range_rad: float = 1.2,
    peak_speed: float = 3.0,
    pause_s: float = 0.5,
) -> Repetition:
    return Repetition(start_s, start_s + duration_s, range_rad, peak_speed, pause_s)


def usual(
    seed: int = 0,
    count: int = 10,
    *,
    speed: float = 3.0,
    end_share: float = 1.0,
    range_rad: float = 1.2,
    duration_s: float = 2.0,
) -> tuple[Repetition, ...]:
    """A set with a little scatter, whose peak speed ends at `end_share` of its beginning."""
    rng = np.random.default_rng(seed)
    speeds = speed * np.linspace(1, end_share, count)
    return tuple(
        repetition(
            3.0 * k,
            duration_s + rng.normal(0, 0.05),
            range_rad + rng.normal(0, 0.02),
            float(v) + rng.normal(0, 0.05),
        )
        for k, v in enumerate(speeds)
    )


def counted(
    n: int, side: str | None = "left", exercise: str = "curl", **changes: float
) -> list[CountedSet]:
    """So many sets, a day apart."""
    return [
        CountedSet(f"{exercise}-{side}-{k}", exercise, side, k * 86_400_000, usual(k, **changes))
        for k in range(n)
    ]
