"""What /docs shows as a request is one that the service takes, word for word."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import RunningService
from tests.api.test_access_matrix import DOCUMENT, OPERATIONS, example_of, fresh_ids, path_of

BODIES = [
    (method, path, media, example_of(shape))
    for method, path, operation in OPERATIONS
    for media, shape in operation.get("requestBody", {}).get("content", {}).items()
    if media.endswith("json")
]
IDS = [f"{method.upper()} {path}" for method, path, _, _ in BODIES]
# What no example can say: a token or a hash of what is there. It is understood, and refused.
NOBODYS = {
    "/v1/auth/refresh": (401, "not-authenticated"),
    "/v1/sessions/{session}/complete": (409, "missing-chunks"),
}


@pytest.fixture(scope="module")
def ids() -> dict[str, str]:
    return fresh_ids()


@pytest.fixture(scope="module")
def client(service: RunningService, ids: dict[str, str]) -> Iterator[httpx.Client]:
    """Somebody who opened a session with the document's own example."""
    path = "/v1/sessions/{session}"
    operation = DOCUMENT["paths"][path]["put"]
    body = example_of(operation["requestBody"]["content"]["application/json"])
    with service.register().client() as client:
        assert client.put(path_of(path, ids), json=body).status_code == 200
        yield client


def test_every_body_in_json_has_an_example():
    assert {path for _, path, _, example in BODIES if not example} == set()
    assert set(NOBODYS) <= {path for _, path, _, _ in BODIES}


@pytest.mark.parametrize(("method", "path", "media", "example"), BODIES, ids=IDS)
def test_an_example_is_taken(
    client: httpx.Client, ids: dict[str, str], method: str, path: str, media: str, example: Any
):
    answer = client.request(
        method, path_of(path, ids), json=example, headers={"Content-Type": media}
    )
    if path in NOBODYS:
        status, name = NOBODYS[path]
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:muvr:problem:{name}")
    elif path == "/v1/auth/register" and answer.status_code == 409:
        assert answer.json()["type"] == "urn:muvr:problem:name-taken"  # by another test's example
    else:
        assert answer.is_success, f"{answer.status_code} {answer.text}"
