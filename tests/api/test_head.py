"""HEAD is GET without the body."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.config import Cassandra
from tests.api.conftest import Person, logging


@pytest.mark.parametrize("path", ["/", "/livez", "/docs", "/openapi.json", "/v1/sessions", "/no"])
def test_head_is_answered_like_get_without_the_body(person: Person, path: str):
    with person.client() as client:
        whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == whole.headers[name]


def test_head_of_an_export_reads_no_more_than_its_beginning_and_is_no_error(
    keyspace: Cassandra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def endless(*_: object) -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b"a line\n"

    read: list[int] = []
    monkeypatch.setattr("api.own_data.export_user", endless)
    lines: list[str] = []
    with (
        logging(keyspace, tmp_path, lines) as service,
        service.register().client() as client,
    ):
        head = client.head("/v1/me/export")
        assert (head.status_code, head.content) == (200, b"")
        assert client.get("/livez").status_code == 200
    assert len(read) < 10
    logged = [json.loads(line) for text in lines for line in text.splitlines()]
    told = [(line["method"], line["status"], line["problem"]) for line in logged if "route" in line]
    assert ("HEAD", 200, None) in told
    assert not any("error" in line for line in logged)
