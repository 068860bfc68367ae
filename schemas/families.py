"""The registry of families, which names each family's job, endpoint and command.

Adding a family is one line here and one file per room: models/NAME/, pipelines/NAME.py, its route
in api/, tests/models/test_NAME.py; docs/adding-a-family.md has the details.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """Something that Muvr learns, or computes when it is asked for.

    Attributes:
        name: the one word for it in every top-level folder, in HTTP and on the command line.
        kind: `model`: one model per owner, and a pointer in `champions` to the one that serves;
            `batch`: a table of results per run, and a pointer in `live_runs` to the run that is
            read; `kernel`: computed by every request, without training.
        description: what it answers, in a few words for people.
    """

    name: str
    kind: Literal["model", "batch", "kernel"]
    description: str


EXERCISE, ACTIVITY, FORM = "exercise", "activity", "form"
"""The families whose models recognise and score sets: several modules ask for them."""

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(EXERCISE, "model", "which exercise a window or a set is"),
        Family(ACTIVITY, "model", "where in a recording exercise is done"),
        Family("reps", "kernel", "how many repetitions, and each one's range, speed and pause"),
        Family("deviations", "kernel", "where a session left its plan"),
        Family(FORM, "model", "how a set compares with the user's own template"),
        Family("intensity", "model", "how hard the next set of an exercise will be"),
        Family("load", "model", "weight, repetitions and intensity of the next set"),
        Family("next", "model", "which exercise comes next"),
        Family("week", "kernel", "what to train on which day, under recovery and time limits"),
        Family("clusters", "batch", "who trains in the same way"),
        Family("recommend", "batch", "exercises that people with the same habits do"),
        Family("rank", "batch", "who is followed by people whom many follow"),
    )
}

BATCH_FAMILIES = tuple(family.name for family in FAMILIES.values() if family.kind == "batch")

MART_JOB = "mart"
"""The job that refreshes the analysts' tables: no family, but scheduled and recorded like one."""

AVERAGED = "exercise-averaged"
"""The job that averages models of many people; its model may serve users who have none of their own
(decision 17)."""
