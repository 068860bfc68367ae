"""What the server under the service and its workers are told of the settings."""

import os
from pathlib import Path

import pytest
import uvicorn

from api import serve
from schemas.config import Api, Cassandra, Config, Limits, Paths


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


def test_worker_serves_with_the_settings_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not with those of a conf.yaml that was edited since: another worker has the old ones."""
    folders = Paths(run=tmp_path, secrets=tmp_path / "secrets")
    outside = Cassandra(contact_points=("db1", "db2"), port=1)
    started = Config(paths=folders, cassandra=outside, api=Api(host="127.0.0.1", port=8081))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    serve._prepare(started)
    served: list[Config] = []
    monkeypatch.setattr("api.app.create_app", served.append)
    monkeypatch.setattr(serve, "_freeze_garbage_collector", lambda: None)
    serve.application()
    assert served == [started]
