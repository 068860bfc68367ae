"""The status page at /: figures for people, without scripts and without personal data."""

import asyncio
import re
import uuid
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from api import page
from api.app import create_app
from api.documentation import SCRIPT, STYLE
from pipelines.lifecycle.runs import run_id_at
from schemas.config import Cassandra, Config
from store.jobs import JobRuns
from tests.api.conftest import Person, RunningService, running, settings


class Tags(HTMLParser):
    """Collects open tags and every linked address."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_api_docs_load_only_local_resources(service: RunningService):
    """Passwords are typed on that page, and the service may have no internet access."""
    tags = Tags()
    with service.client() as client:
        docs = client.get("/docs")
        tags.feed(docs.text)
        taken = [address for address in tags.addresses if not address.startswith("data:")]
        answers = {one: client.get(one) for one in taken}
    assert {one: answer.status_code for one, answer in answers.items()} == {
        SCRIPT: 200,
        STYLE: 200,
        "/openapi.json": 200,
    }
    assert "SwaggerUIBundle" in answers[SCRIPT].text
    assert answers[STYLE].headers["Content-Type"].startswith("text/css")
    assert "default-src 'none'" in docs.headers["Content-Security-Policy"]
    assert "http:" not in docs.text
    assert "https:" not in docs.text


def test_the_api_docs_link_the_openapi_document_without_scripts(service: RunningService):
    with service.client() as client:
        text = client.get("/docs").text
    place = text.index('<div id="swagger-ui">')
    assert place < text.index('href="/openapi.json"') < text.index("</div>")


def test_the_status_page_shows_node_counts_and_runs(service: RunningService, person: Person):
    jobs = JobRuns(service.services.database)
    reason = f"PermissionError: /srv/{uuid.uuid4().hex}"  # anybody may read the page

    async def work() -> None:
        began = datetime.now(UTC)
        run_id = run_id_at(began)
        await jobs.start("exercise", run_id, {}, began)
        await jobs.finish(
            "exercise",
            run_id,
            "done",
            began + timedelta(seconds=12.5),
            counts={"promoted": 1234},
            metrics={},
            reasons={reason: 2},
        )

    service.run(work())
    service.app.state.overviews.forget("overview")
    with service.client() as client:
        answer = client.get("/")
    assert answer.status_code == 200
    text = answer.text
    assert "promoted 1,234" in text
    assert "12.5 s" in text
    assert re.search(r"<b>\d+(\.\d+)+</b><span class=\"soft\">Cassandra</span>", text)
    assert re.search(r"<b>[\d,]+</b><span class=\"soft\">people</span>", text)
    assert reason not in text
    assert "/srv/" not in text
    assert person.username not in text
    assert str(person.user_id) not in text


def test_visitors_who_come_together_share_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask without a token or a limit, and a reading takes many pages of rows."""
    readings: list[object] = []
    overview = object()

    async def read(database: object) -> object:
        readings.append(database)
        await asyncio.sleep(0.01)
        return overview

    monkeypatch.setattr(page, "read_overview", read)

    async def story() -> None:
        app = create_app(Config())
        app.state.connector = SimpleNamespace(services=SimpleNamespace(database="node"))
        visitor: Any = SimpleNamespace(app=app)
        shown = await asyncio.gather(*(page._overview(visitor) for _ in range(50)))
        assert all(one is overview for one in shown)
        assert await page._overview(visitor) is overview

    asyncio.run(story())
    assert readings == ["node"]


def test_the_status_page_loads_only_local_resources(service: RunningService):
    with service.client() as client:
        answer = client.get("/")
    tags = Tags()
    tags.feed(answer.text)
    assert tags.open == []
    assert "script" not in tags.seen
    assert all(address.startswith("/") for address in tags.addresses)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_status_page_can_be_disabled(keyspace: Cassandra, tmp_path):
    config = settings(keyspace, tmp_path)
    config = config.model_copy(update={"api": config.api.model_copy(update={"public_page": False})})
    with running(config) as hidden, hidden.client() as client:
        assert client.get("/").status_code == 404
        assert client.get("/livez").status_code == 200
