"""What the server under the service is told of the settings."""

from typing import Any

import pytest

from api import serve
from schemas.config import Config, Limits


def test_a_live_message_may_be_as_long_as_a_body(monkeypatch: pytest.MonkeyPatch):
    """Without a bound the server takes 16 MiB, whatever `limits.body_mb` says."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(serve.uvicorn, "run", lambda *_, **settings: told.update(settings))
    serve._serve(Config(limits=Limits(body_mb=3)))
    assert told["ws_max_size"] == 3 * 2**20
