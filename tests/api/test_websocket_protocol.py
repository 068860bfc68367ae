"""WebSocket handshakes that are refused, with a problem like any other error."""

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

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
