"""Reasons of "refused" with which the next run tries again: others' sets may decide. Pure.

`NONE_SINCE_GLOBAL` of `pipelines.lifecycle.incumbents` is one too, as a part of a reason.
"""

NO_EVIDENCE = "no later set of anybody to judge by yet"
LITTLE_EVIDENCE = "not better than the same as last time, on few later sets so far"
LITTLE_EVIDENCE_OF_SERVING = (
    "much worse than the recipe of the models that serve, on few later sets so far"
)
OPEN_REFUSALS = frozenset({NO_EVIDENCE, LITTLE_EVIDENCE, LITTLE_EVIDENCE_OF_SERVING})
