"""Requests with the tokens of a login."""

import httpx

from api.keys import KeyRing
from tests.api.conftest import PASSWORD, Person, RunningService


def refresh(service: RunningService, token: str) -> httpx.Response:
    with service.client() as client:
        return client.post("/v1/auth/refresh", json={"refresh_token": token})


def works(service: RunningService, access_token: str) -> bool:
    with service.client(access_token) as client:
        return client.get("/v1/me/models").status_code == 200


def key_ring(service: RunningService) -> KeyRing:
    """The keys with which this service signs its tokens."""
    return KeyRing(service.config.paths.secrets, service.config.api.host)


def operator_token(person: Person) -> str:
    """An access token of this user as an operator."""
    service = person.service
    service.run(service.services.users.grant(person.username, ["operate"]))
    with service.client() as client:
        form = {"username": person.username, "password": PASSWORD}
        return client.post("/v1/auth/token", data=form).json()["access_token"]
