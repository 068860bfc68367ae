"""The limit of open files is raised for as many connections as wanted, or they are fewer."""

import resource
from collections.abc import Iterator

import pytest
import uvicorn

from api import serve
from api.open_files import OTHER_FILES, allow_connections, connections_within, too_few_files
from schemas.config import Api, Config


@pytest.fixture
def low_soft_limit() -> Iterator[None]:
    """A soft limit below what connections need, as on most systems."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_is_raised_for_connections(low_soft_limit: None) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    allow_connections(2000)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert soft == (2000 + OTHER_FILES if hard == -1 else min(2000 + OTHER_FILES, hard))


def test_a_limit_that_is_high_enough_stays(low_soft_limit: None) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_connections(100)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_few_files_allow_some_connections() -> None:
    assert connections_within(2000, resource.RLIM_INFINITY) == 2000
    assert connections_within(2000, 100) == 50
    assert too_few_files(2000, 4096) == ""
    assert "to 2256 (" in too_few_files(2000, 1024)
    assert "api.connections to 768" in too_few_files(2000, 1024)


def test_the_server_refuses_connections_before_files_run_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[uvicorn.Config] = []

    def run(server: uvicorn.Server) -> None:
        told.append(server.config)
        server.started = True

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(serve, "most_files", lambda: 1024)
    monkeypatch.setattr(serve, "allow_connections", lambda wanted: None)
    config = Config(api=Api(connections=2000))
    serve._allow_connections(config.api.connections)
    serve._serve(config)
    assert told[0].limit_concurrency == 768
    said = capsys.readouterr().err
    assert said.startswith("api.connections is 2000, and this process may open 1024 files")
    assert "takes 768 connections" in said
