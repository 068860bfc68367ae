"""Authentication: registration, passwords, tokens, rotation, revocation."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import httpx
import pytest

from api.auth import _token_pair
from api.keys import KeyRing
from api.tokens import Tokens
from schemas.config import Cassandra, Config
from schemas.errors import NotAuthenticated
from store.logins import Login
from store.users import User
from tests.api.conftest import PASSWORD, Person, RunningService, running, running_strictly, settings
from tests.api.logins import key_ring, refresh, works
from tests.api.phone import problem


def test_the_password_grant_checks_credentials_and_scopes(service: RunningService, person: Person):
    with service.client() as client:
        form = {"username": person.username, "password": PASSWORD, "scope": "predict operate"}
        good = client.post("/v1/auth/token", data=form)
        bad = client.post("/v1/auth/token", data={**form, "password": "wrong horse battery"})
        nobody = client.post("/v1/auth/token", data={**form, "username": "nobody-at-all"})
        unknown = client.post("/v1/auth/token", data={**form, "scope": "everything"})
    assert good.json()["scope"] == "predict"  # users cannot request operate
    assert good.headers["cache-control"] == "no-store"
    assert (bad.status_code, nobody.status_code) == (401, 401)
    assert bad.json()["type"] == nobody.json()["type"] == "urn:muvr:problem:wrong-password"
    assert unknown.status_code == 422


def test_a_refresh_can_be_repeated_after_a_lost_response(service: RunningService, person: Person):
    first = person.tokens["refresh_token"]
    lost = refresh(service, first)
    again = refresh(service, first)  # the response to the first was lost
    assert (lost.status_code, again.status_code) == (200, 200)
    assert refresh(service, again.json()["refresh_token"]).status_code == 200


def test_reuse_of_a_rotated_refresh_token_revokes_the_login(
    service: RunningService, person: Person
):
    first = person.tokens["refresh_token"]
    second = refresh(service, first).json()
    third = refresh(service, second["refresh_token"]).json()
    assert works(service, third["access_token"])
    stolen = refresh(service, first)
    assert stolen.status_code == 401
    assert stolen.json()["type"] == "urn:muvr:problem:token-reused"
    assert refresh(service, third["refresh_token"]).status_code == 401
    assert not works(service, third["access_token"])


def test_two_successors_of_one_refresh_token_cannot_both_be_used(
    service: RunningService, person: Person
):
    """Use of a copied refresh token is detected, whoever uses it first."""
    first = person.tokens["refresh_token"]
    thief, owner = refresh(service, first).json(), refresh(service, first).json()
    assert refresh(service, thief["refresh_token"]).status_code == 200
    assert refresh(service, owner["refresh_token"]).status_code == 401
    assert refresh(service, thief["refresh_token"]).status_code == 401


def test_concurrent_refreshes_with_one_token_are_not_treated_as_theft(
    service: RunningService, person: Person
):
    token = person.tokens["refresh_token"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: refresh(service, token), range(6)))
    good = [a for a in answers if a.status_code == 200]
    assert good
    assert refresh(service, good[-1].json()["refresh_token"]).status_code == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_its_login_immediately(
    service: RunningService, person: Person, which: str
):
    assert works(service, person.tokens["access_token"])  # cached as valid
    with service.client() as client:
        assert (
            client.post("/v1/auth/revoke", json={"token": person.tokens[which]}).status_code == 204
        )
        assert client.post("/v1/auth/revoke", json={"token": "nonsense"}).status_code == 204
    assert not works(service, person.tokens["access_token"])
    assert refresh(service, person.tokens["refresh_token"]).status_code == 401


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "of-another-kind"])
def test_log_out_takes_a_hint_and_another_name_of_the_token(
    service: RunningService, hint: str
) -> None:
    with service.client() as client:
        for name in ("token", "refresh_token"):
            tokens = service.register().tokens
            body = {name: tokens["refresh_token"], "token_type_hint": hint}
            assert client.post("/v1/auth/revoke", json=body).status_code == 204
            assert not works(service, tokens["access_token"])


@pytest.mark.parametrize(
    "body", [{}, {"token": None}, {"refresh_token": None, "token_type_hint": ""}]
)
def test_a_log_out_without_a_token_is_refused_also_where_it_is_null(
    service: RunningService, body: dict[str, Any]
):
    with service.client() as client:
        answer = client.post("/v1/auth/revoke", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "token")


@pytest.mark.parametrize("names", [(), ("token", "refresh_token")])
def test_log_out_of_no_token_or_of_two_is_refused(
    service: RunningService, person: Person, names: tuple[str, ...]
) -> None:
    token = person.tokens["refresh_token"]
    with service.client() as client:
        answer = client.post("/v1/auth/revoke", json=dict.fromkeys(names, token))
    told = problem(answer, 422, "bad-input")
    assert told["field"] == "token"
    assert token not in answer.text
    assert works(service, person.tokens["access_token"])


@pytest.mark.parametrize("use", ["access", "refresh"])
def test_a_token_of_a_host_whose_clock_is_ahead_is_good(
    tmp_path: Path, use: Literal["access", "refresh"]
):
    ring = KeyRing(tmp_path, "127.0.0.1")
    here, ahead = Tokens(Config().auth, ring), Tokens(Config().auth, ring, lambda: time.time() + 30)
    user_id, login_id = uuid.uuid4(), uuid.uuid4()
    if use == "access":
        token = ahead.access(user_id, login_id, frozenset({"predict"}))
    else:
        token = ahead.refresh(user_id, login_id, login_id)
    assert here.read(token, use).user_id == user_id


@pytest.mark.parametrize("use", ["access", "refresh"])
def test_an_expired_token_still_ends_its_login(
    service: RunningService, person: Person, use: Literal["access", "refresh"]
):
    settings = service.config.auth.model_copy(update={"access_minutes": -5, "refresh_days": -1})
    stale = Tokens(settings, key_ring(service))
    if use == "access":
        token = stale.access(person.user_id, person.login_id, frozenset({"predict"}))
    else:
        token = stale.refresh(person.user_id, person.login_id, person.login_id)
    with pytest.raises(NotAuthenticated, match="expired"):
        service.services.tokens.read(token, use)
    head, claims, signature = token.split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"
    with service.client() as client:
        assert client.post("/v1/auth/revoke", json={"token": forged}).status_code == 204
        assert works(service, person.tokens["access_token"])
        assert client.post("/v1/auth/revoke", json={"token": token}).status_code == 204
    assert not works(service, person.tokens["access_token"])


def test_a_login_keeps_to_its_scopes_when_the_user_has_none_of_them_any_more(
    tmp_path: Path,
):
    user_id, login_id, now = uuid.uuid4(), uuid.uuid4(), datetime.now(UTC)
    services: Any = SimpleNamespace(tokens=Tokens(Config().auth, KeyRing(tmp_path, "127.0.0.1")))
    user = User(user_id, "ada", "", frozenset({"predict"}), now)
    login = Login(user_id, login_id, login_id, frozenset({"social"}), now)
    assert _token_pair(services, user, login).scope == ""
    assert _token_pair(services, user, login._replace(scopes=frozenset())).scope == "predict"


@pytest.mark.parametrize("changed", ["password", "scopes"])
def test_a_login_in_flight_does_not_outlive_a_change_of_its_user(
    service: RunningService, person: Person, monkeypatch: pytest.MonkeyPatch, changed: str
):
    """The change, and the end of all logins, happen between the check and the new login."""
    users, logins = service.services.users, service.services.logins
    begin = logins.open

    async def open_late(login: Login, now: datetime) -> None:
        if changed == "password":
            await users.set_password(person.user_id, "of another password")
        else:
            await users.withdraw(person.username, ["predict"])
        await logins.revoke_all(person.user_id)
        await begin(login, now)

    monkeypatch.setattr(logins, "open", open_late)
    with service.client() as client:
        form = {"username": person.username, "password": PASSWORD}
        answer = client.post("/v1/auth/token", data=form)
    if changed == "password":
        problem(answer, 401, "not-authenticated")
        assert service.run(logins.of_user(person.user_id)) == []
    else:
        assert "predict" not in answer.json()["scope"].split()
        assert "social" in answer.json()["scope"].split()


def test_revoking_one_login_leaves_the_users_other_login_valid(
    service: RunningService, person: Person
):
    form = {"username": person.username, "password": PASSWORD}
    with service.client() as client:
        phone = client.post("/v1/auth/token", data=form).json()
        client.post("/v1/auth/revoke", json={"token": person.tokens["access_token"]})
    assert works(service, phone["access_token"])


def test_a_revocation_reaches_workers_that_cached_the_token(
    keyspace: Cassandra, tmp_path: Path, service: RunningService, person: Person
):
    """Another worker drops it within `api.pointer_ttl_s`; both trust the same keys."""
    config = settings(keyspace, tmp_path)
    config = config.model_copy(update={"paths": service.config.paths})
    with running(config) as other:
        assert works(other, person.tokens["access_token"])
        service.run(service.services.logins.revoke(person.user_id, person.login_id))
        time.sleep(config.api.pointer_ttl_s + 0.2)
        assert not works(other, person.tokens["access_token"])


def test_a_granted_scope_is_included_after_the_next_refresh(
    service: RunningService, person: Person
):
    with person.client() as client:
        assert client.get("/v1/jobs").status_code == 403
    service.run(service.services.users.grant(person.username, ["operate"]))
    pair = refresh(service, person.tokens["refresh_token"]).json()
    assert "operate" in pair["scope"]
    with service.client(pair["access_token"]) as client:
        assert client.get("/v1/jobs").status_code == 200


def test_access_and_refresh_tokens_are_not_interchangeable(service: RunningService, person: Person):
    assert not works(service, person.tokens["refresh_token"])
    assert refresh(service, person.tokens["access_token"]).status_code == 401


def test_logins_are_limited_per_address(keyspace: Cassandra, tmp_path: Path):
    config = settings(keyspace, tmp_path)
    config = config.model_copy(
        update={"limits": config.limits.model_copy(update={"logins_per_minute": 3})}
    )
    with running_strictly(config) as small, small.client() as client:
        answers = [client.post("/v1/auth/refresh", json={"refresh_token": "x"}) for _ in range(5)]
    assert [a.status_code for a in answers] == [401, 401, 401, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].headers["ratelimit"].startswith('"logins";r=0;')
    assert answers[0].headers["ratelimit"].startswith('"default";r=2;')


def test_wrong_passwords_are_limited_per_name_without_ending_logins(
    keyspace: Cassandra, tmp_path: Path
):
    config = settings(keyspace, tmp_path)
    limits = config.limits.model_copy(update={"passwords_per_minute": 3})
    with (
        running_strictly(config.model_copy(update={"limits": limits})) as strict,
        strict.client() as client,
    ):
        person, other = strict.register(), strict.register()

        def answers(name: str, *passwords: str) -> list[httpx.Response]:
            forms = [{"username": name, "password": password} for password in passwords]
            return [client.post("/v1/auth/token", data=form) for form in forms]

        right = answers(person.username, *[PASSWORD] * 5)  # correct passwords are not counted
        assert [one.status_code for one in right] == [200] * 5
        guesses = answers(person.username, *["wrong horse"] * 4, PASSWORD)
        assert [guess.status_code for guess in guesses] == [401] * 3 + [429] * 2
        assert guesses[-1].json()["limit"] == "passwords"
        assert int(guesses[-1].headers["retry-after"]) == 20
        (shouted,) = answers(person.username.upper(), "wrong horse")
        assert shouted.status_code == 429  # the same name in upper case
        nobody = answers("nobody-at-all", *["wrong horse"] * 4)
        assert [one.status_code for one in nobody] == [401] * 3 + [429]  # reveals no names
        assert answers(other.username, PASSWORD)[0].status_code == 200
        assert refresh(strict, person.tokens["refresh_token"]).status_code == 200
        assert works(strict, person.tokens["access_token"])
