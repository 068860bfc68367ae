"""A worker that starts before its database is ready."""

import asyncio
from typing import Any

import pytest

from api import database_connector
from api.database_connector import DatabaseConnector
from api.metrics import Metrics
from schemas.config import Config
from schemas.errors import BadConfig, DatabaseUnavailable


class Base:
    """A database that records whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Late(DatabaseConnector):
    """A connector whose database is unavailable at first; it stops where sweeping would begin."""

    def __init__(self) -> None:
        super().__init__(Config(), Metrics(), None)
        self.bases: list[Base] = []
        self.tried = 0

    def _connect(self, loop_thread: object) -> Any:
        self.tried += 1
        if self.tried == 1:
            raise DatabaseUnavailable("not yet")
        self.bases.append(Base())
        return self.bases[-1]


def test_a_bad_setting_found_after_startup_is_reported_and_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    made = Late()

    def build(*_: object) -> str:
        said.append(made.not_ready_reason)
        if len(said) < 3:
            raise BadConfig("auth.outside_jwks: cannot be read")
        return "services"

    monkeypatch.setattr(database_connector, "build_services", build)
    monkeypatch.setattr(database_connector, "RETRY_S", 0.0)

    class Enough(Exception):  # ends the test
        pass

    def sweeping(*_: object) -> None:
        raise Enough

    monkeypatch.setattr(database_connector, "SweepTask", sweeping)

    async def story() -> None:
        await made.open()
        with pytest.raises(Enough):
            await made._task

    asyncio.run(story())
    assert said == [
        "Cassandra does not answer.",
        "auth.outside_jwks: cannot be read",
        "auth.outside_jwks: cannot be read",
    ]
    assert (made.not_ready_reason, made.services) == ("", "services")
    assert [base.closed for base in made.bases] == [True, True, False]


def test_an_unexpected_connection_error_is_reported_and_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Odd(Late):
        """The second attempt fails with an unexpected exception."""

        def _connect(self, loop_thread: object) -> Any:
            if self.tried == 1:
                self.tried += 1
                raise ZeroDivisionError("odd")
            return super()._connect(loop_thread)

    said: list[str] = []
    made = Odd()
    monkeypatch.setattr(
        database_connector,
        "build_services",
        lambda *_: said.append(made.not_ready_reason) or "services",
    )
    monkeypatch.setattr(database_connector, "RETRY_S", 0.0)

    async def story() -> None:
        await made.open()
        await made._task

    class Done:
        def __init__(self, *_: object) -> None: ...
        def close(self) -> None: ...
        async def run(self) -> None: ...

    monkeypatch.setattr(database_connector, "SweepTask", Done)
    asyncio.run(story())
    assert said == ["ZeroDivisionError: odd"]
    assert made.services == "services"


def test_a_worker_whose_database_is_there_at_once_sweeps_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, swept = Late(), list[str]()
    made.tried = 1

    class Swept:
        def __init__(self, services: str, *_: object) -> None:
            self.services = services

        async def run(self) -> None:
            swept.append(self.services)

    monkeypatch.setattr(database_connector, "build_services", lambda *_: "services")
    monkeypatch.setattr(database_connector, "SweepTask", Swept)

    async def story() -> None:
        await made.open()
        await made._task

    asyncio.run(story())
    assert swept == ["services"]


@pytest.mark.parametrize("error", [BadConfig("auth.outside_jwks"), PermissionError("secrets")])
def test_what_cannot_be_built_at_startup_stops_the_service_and_closes_the_database(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    made = Late()
    made.tried = 1

    def build(*_: object) -> None:
        raise error

    monkeypatch.setattr(database_connector, "build_services", build)
    with pytest.raises(type(error)):
        asyncio.run(made.open())
    assert [base.closed for base in made.bases] == [True]


def test_an_unexpected_error_of_a_check_closes_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = Base()

    def check(*_: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(database_connector, "open_as", lambda *_, **__: base)
    monkeypatch.setattr(database_connector, "check_schema", check)
    connector = DatabaseConnector(Config(), Metrics(), None)
    loop_thread: Any = None
    with pytest.raises(ZeroDivisionError):
        connector._connect(loop_thread)
    assert base.closed
