"""Every operation of the OpenAPI document × every token that it must reject.

The list of operations is read from the document that the service serves: a new route is included
automatically, and one without authentication has to be listed in OPEN.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from api.tokens import SCOPES
from tests.api.conftest import Person, RunningService
from tests.api.forged_tokens import BAD_TOKENS, forged
from tests.api.operations import OPERATIONS, fresh_ids, path_of, send

OPEN = {
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/version"),
    ("get", "/metrics"),
    ("post", "/v1/auth/register"),
    ("post", "/v1/auth/token"),
    ("post", "/v1/auth/refresh"),
    ("post", "/v1/auth/revoke"),
}
LOCKED = [(m, p, o) for m, p, o in OPERATIONS if (m, p) not in OPEN]
IDS = [f"{method.upper()} {path}" for method, path, _ in LOCKED]
OWNED = ("{session}", "{set}", "{plan}")


def scope_of(operation: Mapping[str, Any]) -> str:
    (requirement,) = operation["security"]
    ((scope,),) = requirement.values()
    return scope


def test_every_operation_requires_a_scope_or_is_listed_as_open():
    unlocked = {(m, p) for m, p, o in OPERATIONS if not o.get("security")}
    assert unlocked == OPEN
    assert all(scope_of(operation) in SCOPES for _, _, operation in LOCKED)


def test_every_protected_operation_documents_its_error_statuses():
    for method, path, operation in LOCKED:
        missing = {"401", "403", "429", "500", "503"} - set(operation["responses"])
        assert not missing, f"{method} {path} does not document {missing}"


@pytest.mark.parametrize(("method", "path", "operation"), LOCKED, ids=IDS)
def test_bad_tokens_are_denied(owner: Person, method: str, path: str, operation: dict[str, Any]):
    for kind in BAD_TOKENS:
        with owner.service.client(forged(owner, kind)) as client:
            answer = send(client, method, path_of(path, fresh_ids()), operation)
        assert answer.status_code == 401, f"{kind}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path", "operation"), LOCKED, ids=IDS)
def test_another_scope_is_denied(owner: Person, method: str, path: str, operation: dict[str, Any]):
    services = owner.service.services
    others = frozenset(SCOPES) - {scope_of(operation)}
    token = services.tokens.access(owner.user_id, owner.login_id, others)
    with owner.service.client(token) as client:
        answer = send(client, method, path_of(path, fresh_ids()), operation)
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "urn:muvr:problem:missing-scope"


@pytest.mark.parametrize(("method", "path", "operation"), LOCKED, ids=IDS)
def test_a_revoked_token_is_denied(
    revoked: Person, method: str, path: str, operation: dict[str, Any]
):
    with revoked.client() as client:
        answer = send(client, method, path_of(path, fresh_ids()), operation)
    assert answer.status_code == 401, answer.text


@pytest.fixture(scope="module")
def revoked(service: RunningService) -> Person:
    person = service.register()
    with person.client() as client:
        assert client.get("/v1/me/models").status_code == 200
        client.post("/v1/auth/revoke", json={"token": person.tokens["refresh_token"]})
    return person


# --- resources of another user

OWNED_OPERATIONS = [(m, p, o) for m, p, o in LOCKED if any(name in p for name in OWNED)]
OWNED_IDS = [f"{method.upper()} {path}" for method, path, _ in OWNED_OPERATIONS]


@pytest.fixture(scope="module")
def things(owner: Person) -> dict[str, str]:
    """Ids of every kind of owned resource, created from the document's examples."""
    ids = fresh_ids()
    with owner.client() as client:
        for method, path, operation in sorted(LOCKED, key=lambda found: len(found[1])):
            if method == "put" and any(name in path for name in OWNED):
                answer = send(client, method, path_of(path, ids), operation)
                assert answer.is_success, f"PUT {path}: {answer.text}"
    return ids


def seen_by(person: Person, ids: Mapping[str, str]) -> dict[str, object]:
    """What a user gets from every GET with these ids in its path."""
    seen: dict[str, object] = {}
    with person.client() as client:
        for method, path, operation in OWNED_OPERATIONS:
            if method == "get":
                answer = send(client, method, path_of(path, ids), operation)
                seen[path] = (answer.status_code, answer.json() if answer.is_success else None)
    return seen


@pytest.mark.parametrize(("method", "path", "operation"), OWNED_OPERATIONS, ids=OWNED_IDS)
def test_another_users_resources_look_nonexistent(
    owner: Person,
    things: dict[str, str],
    service: RunningService,
    method: str,
    path: str,
    operation: dict[str, Any],
):
    before = seen_by(owner, things)
    assert any(status == 200 for status, _ in before.values())
    with service.register().client() as stranger:
        theirs = send(stranger, method, path_of(path, things), operation)
        nobodys = send(stranger, method, path_of(path, fresh_ids()), operation)
    assert theirs.status_code == nobodys.status_code, (theirs.text, nobodys.text)
    if method == "get":
        assert theirs.status_code == 404
    assert seen_by(owner, things) == before
