"""Topics of the table `changes`, which connect writers that announce changes to jobs."""

from typing import Literal

Topic = Literal[
    "registered",
    "sessions",
    "samples",
    "sets",
    "stretches",
    "predictions",
    "plans",
    "follows",
    "erased",
    "erasure-done",
]
"""`samples`: a part is being filled; `erased`: the user, whom a restored backup would bring back;
`erasure-done`: that nothing is left of the user. A job for a topic that no writer announces would
never train again."""

ERASURES: tuple[Topic, ...] = ("erased", "erasure-done")
"""What jobs over all users listen to: one that read between the two read half of a user."""
