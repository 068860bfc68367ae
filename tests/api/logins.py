"""Requests with the tokens of a login."""

import httpx

from tests.api.conftest import RunningService


def refresh(service: RunningService, token: str) -> httpx.Response:
    with service.client() as client:
        return client.post("/v1/auth/refresh", json={"refresh_token": token})


def works(service: RunningService, access_token: str) -> bool:
    with service.client(access_token) as client:
        return client.get("/v1/me/models").status_code == 200
