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
    "unsettled",
    "unswept",
]
"""A job for a topic that no writer announces would never train again."""

REGISTERED: Topic = "registered"  # a user is new
SESSIONS: Topic = "sessions"  # a session, or the list of one of its streams
SAMPLES: Topic = "samples"  # a part of a stream is being filled
SETS: Topic = "sets"  # a set is confirmed, changed or deleted; also: its session is deleted
STRETCHES: Topic = "stretches"  # what activity learns from: exercise and idle of a session
PREDICTIONS: Topic = "predictions"  # an answer of the service is kept
DEVIATIONS: Topic = "deviations"  # where a session left its plan
PLANS: Topic = "plans"  # a revision of a plan
FOLLOWS: Topic = "follows"  # a follow begins or ends
ERASED: Topic = "erased"  # the user; it stays: after a restore from backup they are erased again
ERASURE_DONE: Topic = "erasure-done"  # what is read from now on holds nothing of the user
OLD_IDS: Topic = "old-ids"  # of sessions, sets or plans: older than those of new ones may be
UNSETTLED: Topic = "unsettled"  # a write to the journal may be completed by a later one
UNSWEPT: Topic = "unswept"  # a sweep could not read the user

ERASURES: tuple[Topic, ...] = (ERASED, ERASURE_DONE)
"""What jobs over all users listen to: one that read between the two read half of a user. The time
of `erasure-done` is that of the last call that found anything."""
