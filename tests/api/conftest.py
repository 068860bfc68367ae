"""The service over real HTTP on the real Cassandra, once per run."""

import asyncio
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from api.app import create_app
from api.dependencies import Services
from api.passwords import Passwords
from api.request_log import RequestLog
from ingest.importers.imported import ImportedRecording
from models.exercise.model import ExerciseModel
from schemas.config import Api, Cassandra, Config, Limits, Paths
from schemas.layout import owner_of
from store.file_lock import try_lock
from store.models import StoredModel
from tests.api.issuer import Issuer
from tests.api.learned import learn, person_recordings, promote, stored
from tests.api.phone import Phone

T = TypeVar("T")
PASSWORD = "correct horse battery"
# The service speaks plain HTTP. Without this, each of a thousand clients would load the system's CA
# certificates, which takes 32 ms.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def documented() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Method, path and answers of every operation of the OpenAPI document."""
    paths = create_app(Config()).openapi()["paths"]
    return [
        (method.upper(), re.compile(re.sub(r"{\w+}", "[^/]+", path)), operation["responses"])
        for path, item in paths.items()
        for method, operation in item.items()
    ]


def require_documented(answer: httpx.Response) -> None:
    """Every response in these tests must be documented in the OpenAPI document."""
    asked, path = answer.request.method, answer.request.url.path
    for method, pattern, responses in documented():
        if method == asked and pattern.fullmatch(path):
            said = responses.get(str(answer.status_code))
            assert said is not None, f"{asked} {path} does not document {answer.status_code}"
            media = answer.headers.get("content-type", "").partition(";")[0]
            assert not media or media in said.get("content", {}), (
                f"{asked} {path} does not document {media} with {answer.status_code}"
            )


@dataclass(frozen=True)
class RunningService:
    """A running service."""

    url: str
    config: Config
    app: FastAPI
    loop: asyncio.AbstractEventLoop

    @property
    def services(self) -> Services:
        return self.app.state.connector.services

    def client(self, access_token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
        return httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=30,
            verify=_NO_TLS,
            event_hooks={"response": [require_documented]},
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the service's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    def register(self) -> "Person":
        name = f"person-{uuid.uuid4().hex[:12]}"
        with self.client() as client:
            answer = client.post("/v1/auth/register", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return Person(name, answer.json(), self)


@dataclass(frozen=True)
class Person:
    """A registered user."""

    username: str
    tokens: dict[str, Any]
    service: RunningService

    @property
    def user_id(self) -> uuid.UUID:
        return self.service.services.tokens.read(self.tokens["access_token"], "access").user_id

    @property
    def login_id(self) -> uuid.UUID:
        login = self.service.services.tokens.read(self.tokens["access_token"], "access").login_id
        assert login is not None
        return login

    def client(self) -> httpx.Client:
        return self.service.client(self.tokens["access_token"])


def settings(keyspace: Cassandra, folder: Path, **sections: Any) -> Config:
    """Settings of a service in its own folders; `running` gives it a port."""
    paths = Paths(run=folder / "run", secrets=folder / "secrets", reports=folder)
    given: dict[str, Any] = {
        "paths": paths,
        "cassandra": keyspace,
        "api": Api(access_log=False),
        "limits": Limits(logins_per_minute=100_000, requests_per_minute=1_000_000),
    }
    return Config(**{**given, **sections})


@contextmanager
def running(
    config: Config,
    app: FastAPI | None = None,
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> Iterator[RunningService]:
    """Run the service in a thread until the block ends. Password hashing is made cheap: hundreds of
    users register, and a secure hash takes 0.2 s."""
    # asyncio sends at once (TCP_NODELAY) only where a socket names its protocol; otherwise the end
    # of an answer waits, and is lost if the connection is closed before its body was read.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind((config.api.host, 0))
        port = listener.getsockname()[1]  # ours from here on: nobody else can take it
        api = config.api.model_copy(update={"port": port})
        config = config.model_copy(update={"api": api})
        with _serving(listener, config, app or create_app(config), run) as service:
            yield service


@contextmanager
def running_strictly(config: Config, app: FastAPI | None = None) -> Iterator[RunningService]:
    """The same, where limits give nothing back, however long the test takes, and over midnight."""
    with running(config, app) as service:
        began_s = time.time()
        service.services.rate_limiter._clock = lambda: began_s
        yield service


@contextmanager
def logging(
    keyspace: Cassandra, folder: Path, lines: list[str], **sections: Any
) -> Iterator[RunningService]:
    """A service that writes its log to `lines`."""
    config = settings(keyspace, folder, api=Api(access_log=True), **sections)
    with running(config, create_app(config, RequestLog(lines.append))) as service:
        yield service


@contextmanager
def unswept(run_folder: Path) -> Iterator[None]:
    """Meanwhile no service of this folder sweeps: another process seems to do it."""
    run_folder.mkdir(parents=True, exist_ok=True)
    with (run_folder / "sweeper.lock").open("ab") as lock:
        assert try_lock(lock)
        yield


@contextmanager
def _serving(
    listener: socket.socket,
    config: Config,
    app: FastAPI,
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> Iterator[RunningService]:
    app.state.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="api.http_protocol:DeadlineProtocol",
            ws="api.websocket_protocol:ProblemProtocol",
            log_level="warning",
            limit_concurrency=config.api.connections,
            timeout_keep_alive=config.api.idle_timeout_s,
        )
    )
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: run(serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the service ended while starting"
        assert time.monotonic() < deadline, "the service did not start in time"
        time.sleep(0.02)
    try:
        url = f"http://{config.api.host}:{config.api.port}"
        yield RunningService(url, config, app, loops[0])
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the service did not stop"


@pytest.fixture(scope="session")
def service(
    keyspace: Cassandra, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """The service that all tests of the API share; it does not sweep while one of them looks."""
    config = settings(keyspace, tmp_path_factory.mktemp("service"))
    with unswept(config.paths.run), running(config) as started:
        yield started


@pytest.fixture
def person(service: RunningService) -> Person:
    """A new user."""
    return service.register()


@pytest.fixture(scope="module")
def owner(service: RunningService) -> Person:
    """A user whom the tests of a module share."""
    return service.register()


@pytest.fixture
def phone(person: Person) -> Iterator[Phone]:
    """A phone of this user, which has not opened its session yet."""
    with person.client() as http:
        yield Phone(http)


@pytest.fixture
def open_phone(phone: Phone) -> Phone:
    """A phone whose session is open."""
    assert phone.open().status_code == 200
    return phone


@pytest.fixture
def issuer() -> Issuer:
    """An outside issuer with one key."""
    made = Issuer()
    made.keys["theirs"] = Ed25519PrivateKey.generate()
    return made


@pytest.fixture(scope="session")
def recordings(spar: list[ImportedRecording]) -> list[ImportedRecording]:
    """The recordings of one person."""
    return person_recordings(spar, spar[0].person)


@pytest.fixture(scope="session")
def model(recordings: list[ImportedRecording]) -> ExerciseModel:
    """The model of that person."""
    return learn(recordings)


@pytest.fixture
def kept(service: RunningService, person: Person, model: ExerciseModel) -> StoredModel:
    """The model as this user's champion."""
    kept = stored(model, owner_of(person.user_id))
    promote(service, kept)
    return kept
