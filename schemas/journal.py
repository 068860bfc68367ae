"""The bodies of the journal's events, as one type per kind.

The journal stores bodies as they were sent, with times in UTC. An unknown kind or body is of a
later release.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from schemas.errors import BadEvent


class SessionOpened(msgspec.Struct, frozen=True):
    """A session was opened, or a later opening added something: all that the openings say by then.

    `plan` is the plan that it follows, if any.
    """

    started_at: datetime
    timezone: str
    plan: UUID | None


class StreamDeclared(msgspec.Struct, frozen=True):
    """A stream was added to a session; its samples depend on this declaration."""

    stream: str
    kind: str
    unit: str
    device: str = "unknown"
    placement: str = "wrist"
    side: str | None = None

    def declaration(self) -> dict[str, Any]:
        """The declaration without the stream's name."""
        return {
            name: value for name, value in msgspec.structs.asdict(self).items() if name != "stream"
        }


class StreamListed(msgspec.Struct, frozen=True):
    """The chunks of a stream were listed: SHA-256 in hex by number, None for unused numbers."""

    stream: str
    hashes: list[str | None]


class SessionDeleted(msgspec.Struct, frozen=True):
    """A session was deleted for good."""


class SetConfirmed(msgspec.Struct, frozen=True):
    """A set was confirmed, or corrected."""

    session: UUID
    exercise: str
    started_at: datetime
    ended_at: datetime
    reps: int | None
    weight_kg: float | None
    intensity: float | None
    label_source: str


class SetDeleted(msgspec.Struct, frozen=True):
    """A set was deleted for good."""

    session: UUID


class PlanKept(msgspec.Struct, frozen=True):
    """A plan was stored, or changed."""

    name: str
    sets: list[dict[str, Any]]


class PlanDeleted(msgspec.Struct, frozen=True):
    """A plan was deleted; its id may be used again."""


EventBody = (
    SessionOpened
    | StreamDeclared
    | StreamListed
    | SessionDeleted
    | SetConfirmed
    | SetDeleted
    | PlanKept
    | PlanDeleted
)

KINDS: Mapping[str, type[EventBody]] = {
    "session-opened": SessionOpened,
    "session-amended": SessionOpened,
    "stream-declared": StreamDeclared,
    "stream-listed": StreamListed,
    "session-deleted": SessionDeleted,
    "set-confirmed": SetConfirmed,
    "set-deleted": SetDeleted,
    "plan-kept": PlanKept,
    "plan-deleted": PlanDeleted,
}
"""The body type of each kind of event. A kind never changes its meaning: a new one is added."""


def parse_event_body(kind: str, body: Mapping[str, object]) -> EventBody:
    """The body of an event as the type of its kind.

    >>> parse_event_body("stream-listed", {"stream": "acc", "hashes": ["0a", None]})
    StreamListed(stream='acc', hashes=['0a', None])

    Raises:
        BadEvent: an unknown kind, or a body that does not match it.
    """
    body_type = KINDS.get(kind)
    if body_type is None:
        raise BadEvent(
            f"an event of kind {kind!r} is not understood by this release", field="kind", value=kind
        )
    try:
        return msgspec.convert(body, body_type)
    except msgspec.ValidationError as problem:
        raise BadEvent(
            f"an event of kind {kind!r} is not understood by this release: {problem}",
            field="kind",
            value=kind,
        ) from problem
