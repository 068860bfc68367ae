"""Statuses of job runs, and of their outcomes per user."""

from typing import Final, Literal, get_args

RunStatus = Literal["running", "done", "nothing-to-do", "not-learned", "refused", "failed"]
"""Of a run. `nothing-to-do`: no new input; `not-learned`: not enough data for a model; `refused`:
the recipe did not pass the gate."""

UserStatus = Literal[
    "learned",
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
"""Of a user in a run. `learned`: this user's data is in a model of everybody, whose outcome is in
the metrics of the run; `unchanged`: the same model as before; `overtaken`: since the model was
judged another run or an operator moved the pointer, or the model is not in the store, as that of a
user who was erased meanwhile, or the user's sets changed while the run read them; `withdrawn`: the
same bytes as those of a withdrawn run, or of a version that an operator rolled back; `retired`: too
few labelled sets are left for a model; `not-learned`: not enough data for one; `refused`: the
recipe did not pass the gate; `vetoed`: this user's model was worse; `failed`: an error in the data
or in the code; `replayed`: the user's tables were written again from the journal."""

AttemptStatus = Literal["learned", "not-learned", "failed"]
"""Of one user's work on an executor, before anything is judged."""

RUN_STATUSES: Final[str] = ", ".join(get_args(RunStatus))
USER_STATUSES: Final[str] = ", ".join(get_args(UserStatus))
