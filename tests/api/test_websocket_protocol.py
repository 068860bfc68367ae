"""WebSocket handshakes that are refused, with a problem like any other error."""

import asyncio
import json
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.exceptions import InvalidStatus
from websockets.protocol import State
from websockets.sync.client import connect

from api.websocket_protocol import ProblemProtocol
from tests.api.conftest import RunningService


def test_a_websocket_to_an_unknown_route_gets_a_404_problem(service: RunningService):
    url = service.url.replace("http://", "ws://") + "/v1/sessions"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, open_timeout=20)
    answer = refused.value.response
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body or b"")["type"] == "urn:muvr:problem:not-there"


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


@pytest.mark.parametrize(
    ("changed", "method", "status", "name", "reason"),
    [
        ({"Sec-WebSocket-Key": "short"}, "GET", 400, "bad-request", "Sec-WebSocket-Key"),
        ({"Sec-WebSocket-Version": "12"}, "GET", 400, "bad-request", "Sec-WebSocket-Version"),
        ({}, "POST", 405, "method-not-allowed", "POST"),
    ],
)
def test_an_invalid_websocket_handshake_is_a_problem(
    service: RunningService,
    changed: dict[str, str],
    method: str,
    status: int,
    name: str,
    reason: str,
):
    with service.client() as client:
        answer = client.request(method, "/v1/sessions", headers={**HANDSHAKE, **changed})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == status
    told = answer.json()
    assert (told["type"], told["status"]) == (f"urn:muvr:problem:{name}", status)
    assert reason in told["detail"]


class FakeTransport(asyncio.Transport):
    """Its client takes as much as the test says."""

    waiting_bytes, closed = 0, False

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def write(self, data: Any) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def test_an_answer_to_a_ping_may_be_late_while_the_client_takes_bytes():
    """Nothing is read while writing is paused: the answer may be there already."""
    config = uvicorn.Config(print, ws_ping_timeout=1000.0, log_config=None)
    protocol = ProblemProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    transport = FakeTransport()
    protocol.connection_made(transport)
    protocol.conn.state = State.OPEN
    transport.waiting_bytes = 3000
    protocol.pause_writing()
    protocol.send_keepalive_ping()
    for transport.waiting_bytes in (2000, 1000):
        protocol.keepalive_timeout()
        assert not transport.closed
    protocol.resume_writing()
    protocol.pause_writing()
    transport.waiting_bytes = 3000
    protocol.keepalive_timeout()
    assert not transport.closed
    protocol.keepalive_timeout()
    assert transport.closed, "it took nothing"
