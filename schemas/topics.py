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
]
"""`samples`: a part is being filled; `erased`: the user, whom a restored backup would bring back. A
job for a topic that no writer announces would never train again."""
