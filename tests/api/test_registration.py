"""Registration: usernames in one normal form, passwords that are hashed and not echoed."""

import asyncio
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.app import create_app
from api.usernames import normalised_username
from schemas.config import Config
from tests.api.conftest import PASSWORD, Person, RunningService
from tests.api.logins import works
from tests.api.phone import problem


def test_registration_returns_working_tokens(service: RunningService, person: Person):
    assert set(person.tokens) == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "scope",
    }
    assert person.tokens["token_type"] == "bearer"
    assert person.tokens["expires_in"] == 15 * 60
    assert "operate" not in person.tokens["scope"]
    assert works(service, person.tokens["access_token"])


def test_a_registration_is_announced(service: RunningService, person: Person):
    now = datetime.now(UTC)
    changes = service.services.records.changes
    changed = service.run(changes.since(now - timedelta(minutes=5), now))
    assert "registered" in changed[person.user_id]


def test_concurrent_registrations_of_one_name_succeed_once(service: RunningService):
    name = f"twin-{uuid.uuid4().hex[:8]}"
    body = {"username": name, "password": PASSWORD}

    def register(_: int) -> int:
        return httpx.post(f"{service.url}/v1/auth/register", json=body, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(register, range(8)))
    assert sorted(answers) == [201] + [409] * 7


def test_usernames_are_case_insensitive(service: RunningService, person: Person):
    with service.client() as client:
        again = client.post(
            "/v1/auth/register", json={"username": person.username.upper(), "password": PASSWORD}
        )
        login = client.post(
            "/v1/auth/token", data={"username": person.username.upper(), "password": PASSWORD}
        )
    assert again.status_code == 409
    assert again.json()["type"] == "urn:muvr:problem:name-taken"
    assert login.status_code == 200


@pytest.mark.parametrize(
    ("one", "other"),
    [("\u0390", "\u03aa\u0301"), ("\u1fb7", "\u0391\u0342\u0399"), ("\ufb01", "FI")],
)
def test_spellings_of_one_username_are_one_name(one: str, other: str):
    assert normalised_username(one) == normalised_username(other)


def test_normal_form_of_a_username_is_its_own_normal_form():
    for code in range(sys.maxunicode + 1):
        name = normalised_username(chr(code))
        assert normalised_username(name) == name


@pytest.mark.parametrize("username", ["a\u037ab", "\ufb03" * 30], ids=["a blank", "too long"])
def test_a_username_must_be_one_in_its_normal_form(service: RunningService, username: str):
    with service.client() as client:
        body = {"username": username, "password": PASSWORD}
        answer = client.post("/v1/auth/register", json=body)
    assert problem(answer, 422, "bad-input")["field"] == "username"


def test_a_rejected_password_is_not_echoed_in_the_response(service: RunningService):
    with service.client() as client:
        answer = client.post("/v1/auth/register", json={"username": "x", "password": "hunter2"})
        without_name = client.post("/v1/auth/register", json={"password": "hunter2secret"})
    assert answer.status_code == without_name.status_code == 422
    assert "hunter2" not in answer.text + without_name.text
    assert answer.json()["field"] == "password"


def test_passwords_are_hashed_with_the_argon2id_parameters_of_rfc_9106():
    passwords = create_app(Config()).state.passwords
    kept = asyncio.run(passwords.hash(PASSWORD))
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert asyncio.run(passwords.verify(kept, PASSWORD))
    assert not asyncio.run(passwords.verify(kept, PASSWORD + "!"))
    assert not asyncio.run(passwords.verify(None, "nobody's password"))
