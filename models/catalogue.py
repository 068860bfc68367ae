"""The exercises that Muvr has general knowledge of: muscles, usual load, time.

Loads are rounded from common strength standards (a one-repetition maximum of a trained person in
body weights) and only scale the simulator. Muscles and seconds serve the week plan.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise.

    Attributes:
        name: as it is written in events.
        muscles: muscle groups it tires, the main one first.
        ratio: one-repetition maximum of a trained person in body weights; None: no weight is used.
        rest_s: usual pause after a set, seconds.
    """

    name: str
    muscles: tuple[str, ...]
    ratio: float | None
    rest_s: float


_ROWS: tuple[tuple[str, str, float | None, float], ...] = (
    ("bench press", "chest arms shoulders", 1.2, 150),
    ("incline bench press", "chest shoulders arms", 1.0, 150),
    ("dumbbell press", "chest arms", 0.45, 120),
    ("chest fly", "chest", 0.25, 90),
    ("cable crossover", "chest", 0.3, 90),
    ("push up", "chest arms core", None, 60),
    ("dip", "chest arms", None, 90),
    ("deadlift", "back hamstrings quads", 1.9, 180),
    ("barbell row", "back arms", 1.0, 120),
    ("dumbbell row", "back arms", 0.5, 90),
    ("cable row", "back arms", 0.95, 90),
    ("lat pulldown", "back arms", 0.95, 90),
    ("pull up", "back arms", None, 120),
    ("face pull", "shoulders back", 0.4, 60),
    ("overhead press", "shoulders arms", 0.75, 150),
    ("dumbbell shoulder press", "shoulders arms", 0.35, 120),
    ("lateral raise", "shoulders", 0.15, 60),
    ("front raise", "shoulders", 0.15, 60),
    ("upright row", "shoulders back", 0.55, 90),
    ("shrug", "back shoulders", 1.3, 60),
    ("biceps curl", "arms", 0.5, 60),
    ("hammer curl", "arms", 0.22, 60),
    ("preacher curl", "arms", 0.4, 60),
    ("triceps extension", "arms", 0.4, 60),
    ("triceps pushdown", "arms", 0.5, 60),
    ("skull crusher", "arms", 0.45, 90),
    ("squat", "quads hamstrings core", 1.6, 180),
    ("front squat", "quads core", 1.3, 180),
    ("goblet squat", "quads core", 0.5, 90),
    ("leg press", "quads hamstrings", 3.0, 120),
    ("leg extension", "quads", 0.9, 60),
    ("lunge", "quads hamstrings", 0.6, 90),
    ("leg curl", "hamstrings", 0.7, 60),
    ("romanian deadlift", "hamstrings back", 1.4, 150),
    ("hip thrust", "hamstrings", 1.8, 120),
    ("good morning", "hamstrings back", 0.8, 120),
    ("calf raise", "calves", 1.5, 60),
    ("seated calf raise", "calves", 1.1, 60),
    ("plank", "core", None, 60),
    ("crunch", "core", None, 60),
    ("leg raise", "core", None, 60),
    ("russian twist", "core", 0.12, 60),
    ("kettlebell swing", "hamstrings core", 0.4, 90),
    ("burpee", "quads chest core", None, 90),
)

EXERCISES: tuple[Exercise, ...] = tuple(
    Exercise(name, tuple(muscles.split()), ratio, rest) for name, muscles, ratio, rest in _ROWS
)
BY_NAME: dict[str, Exercise] = {exercise.name: exercise for exercise in EXERCISES}
