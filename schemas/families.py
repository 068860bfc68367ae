"""One registry from which each family's job, endpoint and command take their name.

Adding a family is one line here and one file per room: models/NAME/, pipelines/NAME.py,
its route in api/, tests/models/test_NAME.py; docs/adding-a-family.md says the rest.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """A thing that Muvr learns.

    Attributes:
        name: the one word for it in every room.
        kind: `model` is kept per owner behind a champion pointer; `batch` is a table of results
            per run behind live_runs; `kernel` is computed where it is asked for, without training.
        says: what it answers, for people.
    """

    name: str
    kind: Literal["model", "batch", "kernel"]
    says: str


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("exercise", "model", "which exercise a window or a set is"),
        Family("activity", "model", "where in a recording exercise is done"),
        Family("reps", "kernel", "how many repetitions, and each one's range, speed and pause"),
        Family("deviations", "kernel", "where a session left its plan"),
        Family("form", "model", "how a set compares with the user's own template"),
        Family("intensity", "model", "how hard the next set of an exercise will be"),
        Family("load", "model", "weight, repetitions and intensity of the next set"),
        Family("next", "model", "which exercise comes next"),
        Family("week", "kernel", "what to train on which day, under recovery and time limits"),
        Family("clusters", "batch", "who trains in the same way"),
        Family("recommend", "batch", "exercises that people with the same habits do"),
        Family("rank", "batch", "who is followed by whom that is followed"),
    )
}

AVERAGED = "exercise-averaged"
"""The job beside `exercise` that may decide which model meets newcomers (decision 17)."""
