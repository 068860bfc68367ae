"""Whether an activity model may go live: decided on seconds of users and days that it did not see.

Pure: the seconds were compared on executors (`pipelines.activity.rows`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields

from pipelines.activity.seconds import EvaluatedSeconds, Seconds, f1, plus
from pipelines.keys import Row

UNCOMPARED = "not compared with what served before: no later day to judge by"


def pooled_seconds(evaluated_rows: Sequence[Row]) -> dict[str, Seconds]:
    """Seconds of every rung, summed over all users."""
    pooled: dict[str, Seconds] = {rung.name: (0, 0, 0) for rung in fields(EvaluatedSeconds)}
    for row in evaluated_rows:
        of_user = json.loads(row["seconds"]) if row["seconds"] else {}
        pooled = {rung: plus(s, tuple(of_user.get(rung, (0, 0, 0)))) for rung, s in pooled.items()}
    return pooled


def refusal_reason(seconds: Mapping[str, Seconds], margin: float) -> str:
    """Why a model may not serve, "" when it may.

    On users or days that it did not see it must beat the rule that needs no learning. On those
    after the serving model's training data it must not be worse than that by more than a margin.
    Where there is no such day it may serve all the same, or corrected labels of old sets would have
    no effect; the run's reasons say so.

    >>> refusal_reason({"own": (9, 1, 1), "rhythm": (7, 1, 3), "own_later": (0, 0, 0),
    ...                 "incumbent": (0, 0, 0)}, 0.01)
    ''
    """
    if not sum(seconds["own"]):
        return "no other person and no other day to judge by"
    own, rhythm = f1(seconds["own"]), f1(seconds["rhythm"])
    if own <= rhythm:
        return f"F1 of seconds {own:.3f}, without learning {rhythm:.3f}"
    later, incumbent = f1(seconds["own_later"]), f1(seconds["incumbent"])
    if sum(seconds["incumbent"]) and later < incumbent - margin:
        return f"F1 of later seconds {later:.3f}, what serves now {incumbent:.3f}"
    return ""
