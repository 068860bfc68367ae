"""Fields that several responses have, each described once."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

SessionId = Annotated[UUID, Field(description="id of the session: a UUIDv7 that the client made")]
StartedAt = Annotated[datetime, Field(description="its start, UTC, by the device's clock")]
EndedAt = Annotated[datetime, Field(description="its end, UTC, by the device's clock")]
TimeZone = Annotated[str, Field(description="IANA name of the time zone")]
Exercise = Annotated[str, Field(description="name of the exercise, as users spell it")]
Says = Annotated[str, Field(description="a sentence about it, in English")]
SetSource = Literal["sensor", "confirmed"]
AbstainReason = Annotated[
    str | None,
    Field(
        description="why abstained: unknown-movement, no-model, too-short, other-layout; where "
        "samples lack what the model learned from: no-gravity, low-rate; null when not abstained"
    ),
]
