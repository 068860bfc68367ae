"""The words that join those who announce a change in `changes` to those who wait for it."""

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
"""`samples`: of a part that is being filled; `erased`: the user, whom a restored backup would bring
back. A job that waits for a topic that nobody announces would never learn again."""
