"""A login over its refreshes: it keeps its scopes, lasts longer, and no cache keeps its tokens."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from api.logins import advance_login
from store.logins import Login
from tests.api.conftest import PASSWORD, Person, RunningService
from tests.api.logins import refresh


def test_a_login_with_fewer_scopes_than_its_user_keeps_them_over_refreshes(
    service: RunningService, person: Person
):
    form = {"username": person.username, "password": PASSWORD, "scope": "predict"}
    with service.client() as client:
        pair = client.post("/v1/auth/token", data=form).json()
    scopes = [pair["scope"]]
    for _ in range(2):
        pair = refresh(service, pair["refresh_token"]).json()
        scopes.append(pair["scope"])
    assert scopes == ["predict"] * 3


def test_each_refresh_lets_a_login_last_for_the_whole_time_from_then_on():
    begun, lasts = datetime(2026, 11, 21, 12, tzinfo=UTC), timedelta(days=90)
    now, user_id, login_id, token_id = begun + timedelta(days=80), *(uuid.uuid4() for _ in "abc")
    login = Login(user_id, login_id, login_id, frozenset(), begun + lasts)
    kept: list[datetime] = []

    async def read(*_: object) -> Login:
        return login

    async def advance(login: Login, token: uuid.UUID, expires_at: datetime, now: datetime) -> bool:
        kept.append(expires_at)
        return True

    services: Any = SimpleNamespace(
        clock=lambda: now,
        tokens=SimpleNamespace(refresh_s=lasts.total_seconds()),
        logins=SimpleNamespace(read=read, advance=advance),
    )
    claims: Any = SimpleNamespace(
        user_id=user_id, login_id=login_id, token_id=token_id, parent_id=login_id
    )
    moved = asyncio.run(advance_login(services, claims))
    assert [moved.expires_at, *kept] == [now + lasts] * 2


def test_no_cache_keeps_the_tokens_of_any_route(service: RunningService):
    account = {"username": f"person-{uuid.uuid4().hex[:12]}", "password": PASSWORD}
    with service.client() as client:
        registered = client.post("/v1/auth/register", json=account)
        logged_in = client.post("/v1/auth/token", data=account)
    refreshed = refresh(service, logged_in.json()["refresh_token"])
    for answer in (registered, logged_in, refreshed):
        assert answer.json()["access_token"]
        assert answer.headers["cache-control"] == "no-store"
