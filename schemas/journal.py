"""What an event of the journal says, by its kind: read once, and typed from there on.

The journal keeps bodies as they came. A kind or a body that is not known here is of a later
release.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from schemas.errors import BadEvent


class SessionOpened(msgspec.Struct, frozen=True):
    """A session began; `plan` is what it followed, if any."""

    started_at: datetime
    timezone: str
    plan: UUID | None


class StreamDeclared(msgspec.Struct, frozen=True):
    """A session has a stream; its samples rest on what it is."""

    stream: str
    kind: str
    unit: str
    device: str = "unknown"
    placement: str = "wrist"
    side: str | None = None

    def declaration(self) -> dict[str, Any]:
        """What the stream is, without its name."""
        return {
            name: said for name, said in msgspec.structs.asdict(self).items() if name != "stream"
        }


class StreamListed(msgspec.Struct, frozen=True):
    """Which chunks are a session's stream: SHA-256 in hex by number, None where none has it."""

    stream: str
    hashes: list[str | None]


class SessionDeleted(msgspec.Struct, frozen=True):
    """A session is gone for good."""


class SetConfirmed(msgspec.Struct, frozen=True):
    """What a person said of a set."""

    session: UUID
    exercise: str
    started_at: datetime
    ended_at: datetime
    reps: int | None
    weight_kg: float | None
    intensity: float | None
    label_source: str


class SetDeleted(msgspec.Struct, frozen=True):
    """A set is gone for good."""

    session: UUID


class PlanKept(msgspec.Struct, frozen=True):
    """A plan is this from now on."""

    name: str
    sets: list[dict[str, Any]]


class PlanDeleted(msgspec.Struct, frozen=True):
    """A plan is gone; its id may be used again."""


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
    "stream-declared": StreamDeclared,
    "stream-listed": StreamListed,
    "session-deleted": SessionDeleted,
    "set-confirmed": SetConfirmed,
    "set-deleted": SetDeleted,
    "plan-kept": PlanKept,
    "plan-deleted": PlanDeleted,
}
"""What each kind of event says. A kind keeps its meaning for good: another one has another name."""


def parse_event_body(kind: str, body: Mapping[str, object]) -> EventBody:
    """What an event says.

    >>> parse_event_body("stream-listed", {"stream": "acc", "hashes": ["0a", None]})
    StreamListed(stream='acc', hashes=['0a', None])

    Raises:
        BadEvent: the kind is not known here, or the body is not one of its kind.
    """
    known = KINDS.get(kind)
    if known is None:
        raise BadEvent(
            f"an event of kind {kind!r} is not understood by this release", field="kind", value=kind
        )
    try:
        return msgspec.convert(body, known)
    except msgspec.ValidationError as problem:
        raise BadEvent(
            f"an event of kind {kind!r} is not understood by this release: {problem}",
            field="kind",
            value=kind,
        ) from problem
