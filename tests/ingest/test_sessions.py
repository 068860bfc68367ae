"""How many streams a session may have, whichever devices open it."""

import asyncio

import pytest

from schemas.errors import BadEvent
from schemas.events import MAX_STREAMS, SessionOpening
from tests.ingest.histories import START, STREAM
from tests.ingest.recorded_session import RecordedSession


def test_streams_are_limited_over_all_openings_of_a_session():
    async def story() -> None:
        session = RecordedSession()

        async def opened(*numbers: int) -> int:
            opening = SessionOpening(started_at=START, streams={f"s{n}": STREAM for n in numbers})
            row = await session.recorder.open_session(session.user, session.session, opening)
            return len(row.streams)

        assert await opened(0, 1) == 2
        assert await opened(*range(2, MAX_STREAMS)) == MAX_STREAMS
        assert await opened(0, MAX_STREAMS - 1) == MAX_STREAMS, "a repeat"
        with pytest.raises(BadEvent) as refused:
            await opened(0, MAX_STREAMS)
        assert (refused.value.field, refused.value.value) == ("streams", 2)

    asyncio.run(story())
