"""Reasons of "refused" with which the next run tries again: others' sets may decide. Pure."""

NO_EVIDENCE = "no later set of anybody to judge by yet"
LITTLE_EVIDENCE = "not better than the same as last time, on few later sets so far"
LITTLE_EVIDENCE_OF_SERVING = (
    "much worse than the recipe of the models that serve, on few later sets so far"
)
NONE_SINCE_GLOBAL = (
    "the global model may hold this user's sets; needed are later ones, not only of the most "
    "frequent exercise"
)
"""Why no later set of a user judges, although there are some; a part of a reason."""


def is_open(reason: str) -> bool:
    """Whether the next run tries again although the sets are the same."""
    whole = (NO_EVIDENCE, LITTLE_EVIDENCE, LITTLE_EVIDENCE_OF_SERVING)
    return reason in whole or NONE_SINCE_GLOBAL in reason
