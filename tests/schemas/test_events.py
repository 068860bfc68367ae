"""What the bodies of clients may say."""

import pytest
from pydantic import ValidationError

from schemas.events import SessionOpening

STREAMS = {"acc": {"kind": "acc", "unit": "g"}}


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "2026-11-21T10:00:00+01:00", "2199-12-31T23:59:59Z"]
)
def test_a_clock_may_be_wrong_by_years(text: str) -> None:
    opening = SessionOpening.model_validate(
        {"started_at": text, "sent_at": text, "streams": STREAMS}
    )
    assert opening.started_at == opening.sent_at


@pytest.mark.parametrize("name", ["started_at", "sent_at"])
@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",  # in UTC there is no such date
        "1970-01-01T00:00:00+01:00",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_time_that_nothing_can_be_added_to_is_refused(name: str, text: str) -> None:
    said = {"started_at": "2026-11-21T10:00:00Z", "streams": STREAMS, name: text}
    with pytest.raises(ValidationError, match="from 1970-01-01 to before 2200-01-01") as told:
        SessionOpening.model_validate(said)
    assert told.value.errors()[0]["loc"] == (name,)
