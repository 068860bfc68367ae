"""What a change is of: the word that joins who announces it in `changes` to who waits for it."""

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
