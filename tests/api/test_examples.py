"""The service accepts every request example of /docs verbatim, in every media type."""

import base64
from collections.abc import Iterator
from typing import Any

import cbor2
import httpx
import msgspec
import pytest

from ingest.media_types import JSON
from tests.api.conftest import RunningService
from tests.api.operations import DOCUMENT, OPERATIONS, example_of, fresh_ids, path_of

FORM = "application/x-www-form-urlencoded"
BODIES = [
    (method, path, media, name, example)
    for method, path, operation in OPERATIONS
    for media, shape in operation.get("requestBody", {}).get("content", {}).items()
    for name, example in (
        {name: one["value"] for name, one in shape["examples"].items()}
        if "examples" in shape
        else {"example": example_of(shape)}
    ).items()
]
IDS = [f"{method.upper()} {path} {media} {name}" for method, path, media, name, _ in BODIES]
# Examples cannot contain a valid token or the hash of a stored chunk: these are parsed and refused.
NOBODYS = {
    "/v1/auth/refresh": (401, "not-authenticated"),
    "/v1/sessions/{session}/complete": (409, "missing-chunks"),
}


def body_of(media: str, example: Any) -> bytes:
    """The bytes of an example body; for CBOR, examples show byte strings in base64."""
    if media == FORM:
        return httpx.Request("POST", "http://x", data=example).content
    if media == JSON:
        return msgspec.json.encode(example)
    items = example if isinstance(example, list) else [example]
    return b"".join(cbor2.dumps(_with_bytes(item)) for item in items)


def _with_bytes(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(one) if key == "xyz" else _with_bytes(one)
        for key, one in value.items()
    }


@pytest.fixture(scope="module")
def ids() -> dict[str, str]:
    return fresh_ids()


@pytest.fixture(scope="module")
def client(service: RunningService, ids: dict[str, str]) -> Iterator[httpx.Client]:
    """A client that opened the example's session; the example's user is registered as well."""
    path = "/v1/sessions/{session}"
    operation = DOCUMENT["paths"][path]["put"]
    body = example_of(operation["requestBody"]["content"][JSON])
    user = next(example for _, p, _, _, example in BODIES if p == "/v1/auth/register")
    with service.register().client() as client:
        assert client.post("/v1/auth/register", json=user).status_code in (201, 409)
        assert client.put(path_of(path, ids), json=body).status_code == 200
        yield client


def test_every_request_body_has_an_example():
    assert [name for name, (*_, example) in zip(IDS, BODIES, strict=True) if not example] == []
    assert set(NOBODYS) <= {path for _, path, *_ in BODIES}
    assert {media for _, _, media, *_ in BODIES} > {
        FORM,
        "application/cbor",
        "application/cbor-seq",
    }


@pytest.mark.parametrize(("method", "path", "media", "name", "example"), BODIES, ids=IDS)
def test_documented_examples_are_accepted(
    client: httpx.Client,
    ids: dict[str, str],
    method: str,
    path: str,
    media: str,
    name: str,
    example: Any,
):
    answer = client.request(
        method, path_of(path, ids), content=body_of(media, example), headers={"Content-Type": media}
    )
    if path in NOBODYS:
        status, problem = NOBODYS[path]
        assert (answer.status_code, answer.json()["type"]) == (
            status,
            f"urn:muvr:problem:{problem}",
        )
    elif path == "/v1/auth/register":
        assert answer.json()["type"] == "urn:muvr:problem:name-taken"  # the fixture registered it
    else:
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        refused = (
            [one for one in answer.json().get("results", ()) if "problem" in one]
            if (answer.content)
            else []
        )
        assert refused == []
