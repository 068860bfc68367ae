"""What a login keeps from one refresh to the next: its scopes, and its ninety days."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from api.logins import advance_login
from api.tokens import Claims
from store.logins import Login
from tests.api.conftest import PASSWORD, Person, RunningService
from tests.api.logins import refresh

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_login_of_one_scope_gains_none_by_refreshes(
    service: RunningService, person: Person
) -> None:
    service.run(service.services.users.grant(person.username, ["operate"]))
    form = {"username": person.username, "password": PASSWORD, "scope": "predict"}
    with service.client() as client:
        tokens = client.post("/v1/auth/token", data=form).json()
    for _ in range(2):
        assert tokens["scope"] == "predict"
        tokens = refresh(service, tokens["refresh_token"]).json()
    assert tokens["scope"] == "predict"


def test_a_refresh_puts_off_the_end_of_a_login() -> None:
    login_id, token_id, kept = uuid.uuid4(), uuid.uuid4(), list[datetime]()
    login = Login(uuid.uuid4(), login_id, login_id, frozenset(), NOW + timedelta(days=1))

    class OneLogin:
        async def read(self, *_: object) -> Login:
            return login

        async def advance(
            self, login: Login, token: uuid.UUID, until: datetime, _: datetime
        ) -> bool:
            kept.append(until)
            return True

    services: Any = SimpleNamespace(
        logins=OneLogin(), clock=lambda: NOW, tokens=SimpleNamespace(refresh_s=90 * 86400)
    )
    claims = Claims(login.user_id, login_id, frozenset(), 0.0, token_id, login_id)
    advanced = asyncio.run(advance_login(services, claims))
    assert kept == [NOW + timedelta(days=90)]
    assert advanced == login._replace(current_token=token_id, expires_at=kept[0])
