"""The slots of the journal, which are the ids of its events: one function for each kind of event.

They are stored, so the words that they are made of never change. Where events follow one another,
a slot is named after the revision that its event follows: each revision has one successor.
"""

from uuid import UUID

from schemas.ids import slot


def session_opened(session_id: UUID) -> UUID:
    """The slot of a session's opening."""
    return slot(session_id, "session", "open")


def session_amended(session_id: UUID, after: int) -> UUID:
    """The slot of what a later opening adds to a session after a revision of its opening."""
    return slot(session_id, "session", "amend", after)


def session_deleted(session_id: UUID) -> UUID:
    """The slot of a session's deletion."""
    return slot(session_id, "session", "delete")


def stream_declared(session_id: UUID, stream: str) -> UUID:
    """The slot of a stream's declaration."""
    return slot(session_id, "stream", stream)


def stream_listed(session_id: UUID, stream: str, after: int) -> UUID:
    """The slot of the list of a stream's chunks after a revision; 0: the first list."""
    return slot(session_id, "list", stream, after)


def set_confirmed(set_id: UUID, after: int) -> UUID:
    """The slot of a set's confirmation after a revision; 0: the first confirmation."""
    return slot(set_id, "set", after)


def set_deleted(set_id: UUID) -> UUID:
    """The slot of a set's deletion."""
    return slot(set_id, "set", "delete")


def plan_version(plan_id: UUID, after: int) -> UUID:
    """The slot of a plan's version after a revision, which may be a deletion; 0: the first."""
    return slot(plan_id, "plan", after)
