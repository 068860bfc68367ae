"""The live connection × every token that it must reject.

OpenAPI does not describe WebSockets, so the access matrix does not include it. The routes are read
from the application: a new WebSocket route fails here until it is tested, too.
"""

import pytest
from starlette.routing import WebSocketRoute

from api.app import ROUTE_MODULES
from api.tokens import SCOPES
from tests.api.conftest import Person, RunningService
from tests.api.forged_tokens import BAD_TOKENS, forged
from tests.api.live_client import close_code, hear, talk
from tests.api.phone import Phone, fresh_id

LIVE = "/v1/sessions/{session}/live"
SCOPE = "sensor:write"


@pytest.fixture(scope="module")
def session(owner: Person):
    with owner.client() as client:
        phone = Phone(client)
        assert phone.open().status_code == 200
    return phone.session


def test_the_live_route_is_the_only_websocket():
    routes = [route for part in ROUTE_MODULES for route in part.router.routes]
    assert {route.path for route in routes if isinstance(route, WebSocketRoute)} == {LIVE}


def test_a_token_with_the_required_scope_opens_the_connection(
    service: RunningService, owner: Person, session
):
    token = service.services.tokens.access(owner.user_id, owner.login_id, frozenset({SCOPE}))
    with talk(service, session, token) as connection:
        assert hear(connection, "ready")["session"] == str(session)


@pytest.mark.parametrize("kind", [kind for kind in BAD_TOKENS if kind != "no"])
@pytest.mark.parametrize("how", ["header", "first word"])
def test_bad_tokens_are_denied(
    service: RunningService, owner: Person, session, kind: str, how: str
):
    token = forged(owner, kind)
    with talk(service, session, token if how == "header" else None) as connection:
        if how == "first word":
            connection.send('{"auth": "' + str(token) + '"}')
        assert close_code(connection) == 4401


@pytest.mark.parametrize("word", ["{}", '{"auth": null}', '{"auth": ""}', '{"auth": ["a"]}'])
def test_no_token_is_denied(service: RunningService, session, word: str):
    with talk(service, session, None) as connection:
        connection.send(word)
        assert close_code(connection) == 4401


def test_all_other_scopes_together_are_denied(service: RunningService, owner: Person, session):
    others = frozenset(SCOPES) - {SCOPE}
    token = service.services.tokens.access(owner.user_id, owner.login_id, others)
    with talk(service, session, token) as connection:
        assert close_code(connection) == 4403


def test_all_other_scopes_together_do_not_renew_a_connection(
    service: RunningService, owner: Person, session
):
    others = frozenset(SCOPES) - {SCOPE}
    token = service.services.tokens.access(owner.user_id, owner.login_id, others)
    with talk(service, session, owner.tokens["access_token"]) as connection:
        connection.send('{"auth": "' + token + '"}')
        assert close_code(connection) == 4403


def test_a_revoked_token_is_denied(service: RunningService, session):
    gone = service.register()
    with gone.client() as client:
        client.post("/v1/auth/revoke", json={"token": gone.tokens["refresh_token"]})
    with talk(service, session, gone.tokens["access_token"]) as connection:
        assert close_code(connection) == 4401


def test_another_users_session_looks_nonexistent(service: RunningService, session):
    stranger = service.register().tokens["access_token"]
    for which in (session, fresh_id()):
        with talk(service, which, stranger) as connection:
            assert close_code(connection) == 4404
