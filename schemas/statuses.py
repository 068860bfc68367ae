"""Statuses of job runs, and of their outcomes per user."""

from typing import Final, Literal, get_args

RunStatus = Literal["running", "done", "nothing-to-do", "not-learned", "refused", "failed"]
"""Of a run. `nothing-to-do`: no new input; `not-learned`: not enough data for a model; `refused`:
the recipe did not pass the gate."""

UserStatus = Literal[
    "promoted",
    "unchanged",
    "overtaken",
    "withdrawn",
    "retired",
    "refused",
    "vetoed",
    "not-learned",
    "failed",
    "replayed",
]
"""Of a user in a run. `unchanged`: the same model as before; `overtaken`: another run moved the
pointer meanwhile; `withdrawn`: the same bytes as those of a withdrawn run; `retired`: too few
labelled sets are left for a model; `refused`: the recipe did not pass the gate; `vetoed`: this
user's model was worse; `failed`: an error in the data or in the code."""

RUN_STATUSES: Final[str] = ", ".join(get_args(RunStatus))
USER_STATUSES: Final[str] = ", ".join(get_args(UserStatus))
