"""The operations of the OpenAPI document, and requests of them from its examples."""

import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from api.app import create_app
from schemas.config import Config
from tests.api.phone import fresh_id

METHODS = ("get", "put", "post", "delete", "patch")
DOCUMENT: dict[str, Any] = create_app(Config()).openapi()
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]


def path_of(path: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace("{" + name + "}", value)
    return path


def fresh_ids() -> dict[str, str]:
    return {
        "session": str(fresh_id()),
        "set": str(fresh_id()),
        "plan": str(fresh_id()),
        "user": str(uuid.uuid4()),
        "run": str(uuid.uuid4()),
        "stream": "acc",
        "seq": "0",
        "family": "exercise",
    }


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
