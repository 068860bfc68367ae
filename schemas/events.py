"""Request bodies of recording: validated on arrival, stored in the journal with times in UTC."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from schemas.bounds import BoundedBody, at_most
from schemas.names import NO_CONTROLS, ExerciseName
from schemas.times import BEGINS_WITH_DATE, EARLIEST, LATEST
from schemas.wire import SEQ_MAX, UNITS, conversion_of
from schemas.zones import time_zone

MAX_STREAMS = 16
MAX_SET_HOURS = 6
UNSAID_TIMEZONE = "UTC"
"""What a session's time zone is until an opening names another one."""
MAX_PLANNED_SETS = 500  # sets of a plan
_LOCAL_ZONES = frozenset({"Factory", "localtime", "posixrules"})
_NON_PORTABLE_PREFIXES = ("posix/", "right/")  # on some systems; the second has leap seconds
STREAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

StreamName = Annotated[str, StringConstraints(pattern=rf"^{STREAM_NAME.pattern}$")]
Word = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=NO_CONTROLS),
]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Hashes = Annotated[list[Hash | None], Field(max_length=SEQ_MAX + 1), FailFast()]
_FewStreams = BeforeValidator(at_most(MAX_STREAMS))


def known_timezone(name: str) -> str:
    """The name, if it is a time zone that is the same on every machine.

    >>> known_timezone("Europe/London")
    'Europe/London'

    Raises:
        ValueError: the IANA database does not have it, or its meaning depends on the machine.
    """
    try:
        time_zone(name)
    except (KeyError, ValueError, OSError) as problem:
        raise ValueError(f"{name!r} is no time zone of the IANA database") from problem
    if name in _LOCAL_ZONES or name.startswith(_NON_PORTABLE_PREFIXES):
        raise ValueError(f"{name!r} is no zone that another machine knows as the same")
    return name


def _only_text(value: object) -> object:
    """Require RFC 3339 text: a number, also as text, would be read as seconds of the epoch."""
    if isinstance(value, datetime) or (isinstance(value, str) and BEGINS_WITH_DATE.match(value)):
        return value
    raise ValueError("a time must be RFC 3339 text with an offset, such as 2026-11-21T10:00:00Z")


def _in_supported_range(value: datetime) -> datetime:
    """The time in UTC; refuses those that overflow date arithmetic: a clock may be off by years."""
    if EARLIEST <= value < LATEST:
        return value.astimezone(UTC)
    raise ValueError(f"a time lies from {EARLIEST.date()} to before {LATEST.date()} (UTC)")


Time = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_in_supported_range)]


def _no_foreign_unit(value: object) -> object:
    """Say what to send instead of a unit that sensors have and streams have not."""
    if instead := conversion_of(value):
        raise ValueError(instead)
    return value


StreamKind = Annotated[
    Literal["acc", "gyro"], Field(description="its sensor: accelerometer or gyroscope")
]
StreamUnit = Annotated[
    Literal["g", "m/s2", "rad/s", "deg/s"],
    BeforeValidator(_no_foreign_unit),
    Field(description="of its samples: g or m/s2 with acc, rad/s or deg/s with gyro"),
]
Wrist = Annotated[
    Literal["left", "right"] | None,
    Field(description="the wrist; null where nobody said: then both are tried"),
]
SentAt = Annotated[
    Time | None,
    Field(description="the device's clock as the request leaves: tells how far that clock is off"),
]
LabelSource = Literal["typed", "accepted_guess", "corrected", "plan"]
MAX_REPS = 10_000
MAX_WEIGHT_KG = 2_000
MAX_INTENSITY = 1
Reps = Annotated[
    int | None, Field(ge=0, le=MAX_REPS, strict=True, description="repetitions; null: not said")
]
WeightKg = Annotated[
    float | None,
    Field(ge=0, le=MAX_WEIGHT_KG, strict=True, description="weight, kg; null: not said"),
]
Intensity = Annotated[
    float | None,
    Field(
        ge=0,
        le=MAX_INTENSITY,
        strict=True,
        description="0 (nothing) to 1 (all that was possible); null: not said",
    ),
]


class ClientEvent(BoundedBody):
    """A body of which events are made: immutable, and its numbers are finite."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class StreamDeclaration(ClientEvent):
    """The declaration of a stream. It cannot be changed afterwards: samples depend on it."""

    kind: StreamKind
    unit: StreamUnit
    device: Word = Field(default="unknown", description="what records it: any text, such as watch")
    placement: Word = Field(
        default="wrist",
        description="where it is worn: any text. Models read wrists: of a session's streams those "
        'count whose placement holds "wrist" or "watch", in any case. Where none does, another '
        "place is read and learned as if it were a wrist, and the session notes `not-on-a-wrist`. "
        "Sensors of one place are read together: its text is the same in any case, or one is "
        '"wrist" or "watch" and the other names a wrist as well',
    )
    side: Wrist = None

    @field_validator("unit")
    @classmethod
    def _unit_of_kind(cls, value: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")  # missing if it is invalid itself
        if kind is not None and value not in UNITS[kind]:
            raise ValueError(f"{value!r} is no unit of {kind}: {', '.join(UNITS[kind])}")
        return value


class SessionOpening(ClientEvent):
    """Opens a session, or adds to it what this device knows and those before it did not say."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "started_at": "2026-11-21T10:00:00Z",
                    "timezone": "Europe/London",
                    "sent_at": "2026-11-21T10:00:01Z",
                    "streams": {
                        "acc": {
                            "kind": "acc",
                            "unit": "g",
                            "device": "watch",
                            "placement": "wrist",
                            "side": "left",
                        },
                        "gyro": {
                            "kind": "gyro",
                            "unit": "rad/s",
                            "device": "watch",
                            "placement": "wrist",
                            "side": "left",
                        },
                    },
                }
            ]
        }
    )

    started_at: Time = Field(
        description="start of the session, on the device's clock; of several openings the earliest "
        "counts, if it is at most a day before that of the first one; kept to the millisecond"
    )
    timezone: str = Field(
        default=UNSAID_TIMEZONE,
        max_length=64,
        description="IANA name, such as Europe/London; UTC gives way to what another opening names",
    )
    sent_at: SentAt = None
    plan: UUID | None = Field(
        default=None,
        description="id of the plan that the session follows; null: none, or another opening names "
        "it; the first one that is named stays, and another one is a conflict",
    )
    streams: Annotated[dict[StreamName, StreamDeclaration], _FewStreams] = Field(
        max_length=MAX_STREAMS, description="by name: letters, digits, `_`, `.` and `-`"
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        return known_timezone(value)


class SetConfirmation(ClientEvent):
    """What a user did in a set. Times are on the clock of the session's device."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "exercise": "bench press",
                    "started_at": "2026-11-21T10:02:00Z",
                    "ended_at": "2026-11-21T10:02:40Z",
                    "reps": 10,
                    "weight_kg": 60,
                    "intensity": 0.7,
                    "label_source": "typed",
                }
            ]
        }
    )

    exercise: ExerciseName
    started_at: Time = Field(
        description="start of the set, at most 5 s before its session; kept to the millisecond"
    )
    ended_at: Time = Field(
        description=f"its end, at most {MAX_SET_HOURS} h after its start and a day from now; "
        "once the session is complete, at most 5 s after its samples; kept to the millisecond"
    )
    reps: Reps = None
    weight_kg: WeightKg = None
    intensity: Intensity = None
    label_source: LabelSource = Field(
        default="typed",
        description="typed: entered by the user; accepted_guess: a recognised set as it was; "
        "corrected: one with changes; plan: ticked off a plan",
    )

    @field_validator("ended_at")
    @classmethod
    def _in_order(cls, value: datetime, info: ValidationInfo) -> datetime:
        started_at = info.data.get("started_at")  # missing if it is invalid itself
        length_s = (value - started_at).total_seconds() if started_at else 1.0
        if not 0 < length_s <= MAX_SET_HOURS * 3600:
            raise ValueError(
                f"a set lasts more than 0 s and at most {MAX_SET_HOURS} h, not {length_s} s"
            )
        return value


class Completion(ClientEvent):
    """The hashes of a session's chunks, ordered by number: they define the session.

    The first hash of a stream is that of chunk 0, the next of chunk 1. null: an unused number.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"sent_at": "2026-11-21T11:00:00Z", "streams": {"acc": ["0" * 64]}}]
        }
    )

    sent_at: SentAt = None
    streams: Annotated[dict[StreamName, Hashes], _FewStreams] = Field(
        max_length=MAX_STREAMS,
        description="by the stream's name; a hash is the SHA-256 of a body without its encoding, "
        "in hex. Empty: nothing was recorded, which completes a session without chunks",
    )


_PLAN: dict[str, Any] = {
    "name": "Monday",
    "sets": [
        {"exercise": "bench press", "reps": 8, "weight_kg": 60, "intensity": 0.7},
        {"exercise": "bench press", "reps": 8, "weight_kg": 60, "intensity": 0.8},
    ],
}


class PlannedSet(BoundedBody):
    """A set that is to be done; what is left out may be anything."""

    model_config = ConfigDict(allow_inf_nan=False)

    exercise: ExerciseName
    reps: Reps = None
    weight_kg: WeightKg = None
    intensity: Intensity = None


class PlanBody(BoundedBody):
    """A plan: a name and the sets that are to be done."""

    model_config = ConfigDict(json_schema_extra={"example": _PLAN})

    name: Word = Field(description="for people; need not be unique")
    sets: Annotated[list[PlannedSet], FailFast()] = Field(
        max_length=MAX_PLANNED_SETS, description="in the order in which they are to be done"
    )
