"""What the server under the service is told of the settings."""

import pytest
import uvicorn

from api import serve
from schemas.config import Config, Limits


def told_of(config: Config, monkeypatch: pytest.MonkeyPatch) -> uvicorn.Config:
    told: list[uvicorn.Config] = []

    def run(server: uvicorn.Server) -> None:
        told.append(server.config)
        server.started = True

    monkeypatch.setattr(uvicorn.Server, "run", run)
    serve._serve(config)
    return told[0]


def test_a_live_message_may_be_as_long_as_a_body(monkeypatch: pytest.MonkeyPatch):
    """Without a bound the server takes 16 MiB, whatever `limits.body_mb` says."""
    assert told_of(Config(limits=Limits(body_mb=3)), monkeypatch).ws_max_size == 3 * 2**20
