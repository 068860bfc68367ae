"""Every operation of the OpenAPI document × every token that it must reject.

The list of operations is read from the document that the service serves: a new route is included
automatically, and one without authentication has to be listed in OPEN.
"""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.app import create_app
from api.tokens import SCOPES
from schemas.config import Config
from tests.api.conftest import Person, RunningService

METHODS = ("get", "put", "post", "delete", "patch")
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
DOCUMENT: dict[str, Any] = create_app(Config()).openapi()
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]
LOCKED = [(m, p, o) for m, p, o in OPERATIONS if (m, p) not in OPEN]
IDS = [f"{method.upper()} {path}" for method, path, _ in LOCKED]
OWNED = ("{session}", "{set}", "{plan}")
BAD_TOKENS = ("no", "junk", "expired", "tampered", "alg-none", "foreign-key", "hs256", "refresh")


def scope_of(operation: Mapping[str, Any]) -> str:
    (requirement,) = operation["security"]
    ((scope,),) = requirement.values()
    return scope


def path_of(path: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace("{" + name + "}", value)
    return path


def fresh_ids() -> dict[str, str]:
    return {
        "session": str(uuid7()),
        "set": str(uuid7()),
        "plan": str(uuid7()),
        "user": str(uuid.uuid4()),
        "run": str(uuid.uuid4()),
        "stream": "acc",
        "seq": "0",
        "family": "exercise",
    }


def uuid7() -> uuid.UUID:
    """RFC 9562, 5.7: 48 bits of milliseconds, then random bits."""
    chance = uuid.uuid4().int & ((1 << 80) - 1)
    value = (int(time.time() * 1000) << 80) | chance
    value = value & ~(0xF << 76) | (7 << 76)
    return uuid.UUID(int=value & ~(0x3 << 62) | (0x2 << 62))


def send(
    client: httpx.Client, method: str, path: str, operation: Mapping[str, Any], **headers: str
) -> httpx.Response:
    """Call the operation with the example body of the document."""
    content = operation.get("requestBody", {}).get("content", {})
    media = "application/json" if "application/json" in content else next(iter(content), None)
    body = None if media is None else example_of(content[media])
    if media and "json" in media:
        return client.request(method, path, json=body, headers=headers)
    return client.request(method, path, content=b"", headers=headers)


def example_of(media: Mapping[str, Any]) -> object:
    if "example" in media:
        return media["example"]
    if "examples" in media:
        return next(iter(media["examples"].values()))["value"]
    shape = media["schema"]
    if "$ref" in shape:
        shape = DOCUMENT["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return shape["examples"][0] if "examples" in shape else shape.get("example", {})


def forged(person: Person, kind: str) -> str | None:
    """A token that must not be accepted."""
    good = person.tokens["access_token"]
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    keys = person.service.services.tokens._ring.keys
    headers = {"kid": keys.kid, "typ": "at+jwt"}
    match kind:
        case "no":
            return None
        case "junk":
            return "not.a.token"
        case "expired":
            old = {**claims, "iat": claims["iat"] - 7200, "exp": int(time.time()) - 60}
            return jwt.encode(old, keys.signing, "EdDSA", headers=headers)
        case "tampered":
            more = {**claims, "sub": str(uuid.uuid4())}
            raw = base64.urlsafe_b64encode(json.dumps(more).encode()).decode().rstrip("=")
            return f"{head}.{raw}.{signature}"
        case "alg-none":
            return jwt.encode(claims, None, "none", headers=headers)
        case "foreign-key":
            return jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers=headers)
        case "hs256":  # the public key used as a shared secret
            secret = keys.trusted[keys.kid].public_bytes_raw()
            return jwt.encode(claims, secret + secret, "HS256", headers=headers)
        case "refresh":
            return person.tokens["refresh_token"]
    raise AssertionError(kind)


@pytest.fixture(scope="module")
def owner(service: RunningService) -> Person:
    return service.register()


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
