"""Topics of the table `changes`, which connect writers that announce changes to jobs."""

from typing import Literal

Topic = Literal[
    "registered",
    "sessions",
    "samples",
    "sets",
    "stretches",
    "predictions",
    "deviations",
    "plans",
    "follows",
    "erased",
    "erasure-done",
    "old-ids",
    "unswept",
]
"""`samples`: a part is being filled; `erased`: the user, whom a restored backup would bring back;
`erasure-done`: that nothing is left of the user; `old-ids`: events of sessions, sets or plans whose
ids are older than those of new ones may be; `unswept`: that a sweep could not read the user. A job
for a topic that no writer announces would never train again."""

OLD_IDS: Topic = "old-ids"
UNSWEPT: Topic = "unswept"

ERASURES: tuple[Topic, ...] = ("erased", "erasure-done")
"""What jobs over all users listen to: one that read between the two read half of a user."""
