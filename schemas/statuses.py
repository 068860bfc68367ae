"""The words for what a run of a job came to, and for what it came to for each user."""

from typing import Final, Literal, get_args

RunStatus = Literal["running", "done", "nothing-to-do", "not-learned", "refused", "failed"]
"""Of a run. `nothing-to-do`: no input is new; `not-learned`: the data carries no model; `refused`:
the gate said no to the recipe."""

UserStatus = Literal[
    "promoted",
    "unchanged",
    "overtaken",
    "taken-back",
    "retired",
    "refused",
    "vetoed",
    "not-learned",
    "failed",
    "replayed",
]
"""Of a user in a run. `unchanged`: the same model as before; `overtaken`: another run moved the
pointer meanwhile; `taken-back`: the same bytes as those of a run that was; `retired`: what is left
of the labelled sets carries no model any more; `refused`: the recipe was; `vetoed`: this user's
model was worse; `failed`: the data, or our code for it, is broken."""

RUN_STATUSES: Final[str] = ", ".join(get_args(RunStatus))
USER_STATUSES: Final[str] = ", ".join(get_args(UserStatus))
