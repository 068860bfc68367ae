"""Fields that several responses have, each described once."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

SessionId = Annotated[UUID, Field(description="id of the session: a UUIDv7 that the client made")]
_PRECISION = "times that were sent are kept to the millisecond"
StartedAt = Annotated[
    datetime, Field(description=f"its start, UTC, by the device's clock; {_PRECISION}")
]
EndedAt = Annotated[
    datetime, Field(description=f"its end, UTC, by the device's clock; {_PRECISION}")
]
TimeZone = Annotated[str, Field(description="IANA name of the time zone")]
Exercise = Annotated[str, Field(description="name of the exercise, as users spell it")]
Says = Annotated[str, Field(description="a sentence about it, in English")]
ETAG_HEADER = {"ETag": {"schema": {"type": "string"}}}
SetSource = Literal["sensor", "confirmed"]
AbstainReason = Annotated[
    str | None,
    Field(
        description="why abstained: unknown-movement, no-model, too-short, other-layout; where "
        "samples lack what the model learned from: no-gravity, low-rate; null when not abstained"
    ),
]
