"""The published keys of an outside issuer: when they are fetched, and what is not taken."""

import asyncio
import json
import threading
import time
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.jwks import MAX_AGE_S, MAX_BYTES, RETRY_S, IssuerKeys
from schemas.errors import BadConfig, Retryable
from tests.api.issuer import Issuer


def test_issuer_keys_are_refreshed_and_withdrawn_keys_are_dropped(issuer: Issuer):
    now_s = 1000.0
    with issuer.published() as address:
        keys = IssuerKeys(address, clock=lambda: now_s)
        asyncio.run(keys.refresh("theirs"))
        issuer.keys = {"newer": Ed25519PrivateKey.generate()}
        asyncio.run(keys.refresh("newer"))
        assert (set(keys.keys), issuer.asked) == ({"theirs"}, 1), "not again within RETRY_S"
        now_s += RETRY_S
        asyncio.run(keys.refresh("newer"))
        assert (set(keys.keys), issuer.asked) == ({"theirs"}, 1), "not after exactly RETRY_S"
        now_s += 1
        asyncio.run(keys.refresh("newer"))
        assert (set(keys.keys), issuer.asked) == ({"newer"}, 2)
        issuer.keys = {"third": Ed25519PrivateKey.generate()}
        now_s += RETRY_S + 1
        asyncio.run(keys.refresh("newer"))
        assert issuer.asked == 2, "a known key of a fresh key set needs no request"
        now_s += MAX_AGE_S
        asyncio.run(keys.refresh("newer"))
        assert set(keys.keys) == {"third"}, "keys that the issuer withdrew are not trusted"
    now_s += MAX_AGE_S + 1
    asyncio.run(keys.refresh("third"))  # the issuer is unreachable: no error
    assert set(keys.keys) == {"third"}


def test_requests_for_an_unknown_key_wait_for_the_fetch_in_flight(issuer: Issuer):
    async def both() -> list[bool]:
        keys = IssuerKeys(address)

        async def is_known() -> bool:
            await keys.refresh("theirs")
            return "theirs" in keys.keys

        return await asyncio.gather(is_known(), is_known())

    with issuer.published() as address:
        assert asyncio.run(both()) == [True, True]
    assert issuer.asked == 1


def test_a_request_that_is_given_up_does_not_end_the_fetch_of_others(issuer: Issuer):
    async def story() -> bool:
        keys = IssuerKeys(address)
        first = asyncio.create_task(keys.refresh("theirs"))
        await asyncio.sleep(0)
        first.cancel()
        await keys.refresh("theirs")
        return "theirs" in keys.keys

    with issuer.published() as address:
        assert asyncio.run(story())


def test_an_issuer_that_failed_is_asked_again_after_the_retry_time(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
):
    now_s, reachable = 1000.0, False

    async def fetch(_: str) -> str:
        issuer.asked += 1
        if not reachable:
            raise BadConfig("no answer")
        return issuer.key_set().decode()

    monkeypatch.setattr("api.jwks._fetch", fetch)
    keys = IssuerKeys("https://id.example/keys", clock=lambda: now_s)
    for _ in range(2):
        with pytest.raises(Retryable, match="send the same again"):
            asyncio.run(keys.refresh("theirs"))
    assert issuer.asked == 1, "not again within RETRY_S"
    now_s, reachable = now_s + RETRY_S + 1, True
    asyncio.run(keys.refresh("theirs"))
    assert set(keys.keys) == {"theirs"}
    now_s, reachable = now_s + MAX_AGE_S + 1, False
    asyncio.run(keys.refresh("theirs"))
    issuer.keys = {"newer": Ed25519PrivateKey.generate()}
    now_s, reachable = now_s + RETRY_S + 1, True
    asyncio.run(keys.refresh("theirs"))
    assert set(keys.keys) == {"newer"}, "old keys are not kept for another hour"


@pytest.mark.parametrize(
    ("moved", "padding", "accepted"),
    [(False, 0, True), (False, 1, False), (True, 0, False)],
    ids=["of the largest size", "a byte larger", "at another address"],
)
def test_a_key_set_that_is_too_large_or_elsewhere_changes_nothing(
    issuer: Issuer, moved: bool, padding: int, accepted: bool
):
    issuer.moved = moved
    issuer.padding = b" " * (MAX_BYTES - len(issuer.key_set()) + padding)
    with issuer.published() as address:
        keys = IssuerKeys(address)
        with nullcontext() if accepted else pytest.raises(Retryable):
            asyncio.run(keys.refresh("theirs"))
    assert issuer.asked == 1
    assert set(keys.keys) == ({"theirs"} if accepted else set())


class Tedious(BaseHTTPRequestHandler):
    """An issuer whose answer does not end for a long time; `pause_s` lies between its parts."""

    pause_s = 0.0
    parts = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while type(self).parts < 400:
                self.wfile.write(bytes(1 if self.pause_s else 2**16))
                type(self).parts += 1
                time.sleep(self.pause_s)
        except OSError:
            return  # the client has had enough

    def log_message(self, *words: object) -> None:
        pass


@pytest.mark.parametrize(("pause_s", "most_parts"), [(0.0, 200), (0.02, 300)])
def test_an_answer_of_the_issuer_that_does_not_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, pause_s: float, most_parts: int
):
    monkeypatch.setattr("api.jwks.TIMEOUT_S", 0.3 if pause_s else 30.0)
    handler = type("Handler", (Tedious,), {"pause_s": pause_s})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        keys = IssuerKeys(f"http://127.0.0.1:{server.server_port}/keys")
        with pytest.raises(Retryable):
            asyncio.run(keys.refresh("theirs"))
        server.shutdown()
    assert keys.keys == {}
    assert handler.parts < most_parts


@pytest.mark.parametrize(
    ("source", "says"),
    [("http://id.example/keys", "https"), ("/nowhere/keys.json", "No such file")],
)
def test_an_unreadable_key_set_source_is_rejected(source: str, says: str):
    with pytest.raises(BadConfig, match=says):
        IssuerKeys(source)


def test_symmetric_keys_in_a_key_set_are_ignored(tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}))
    assert IssuerKeys(str(path)).keys == {}
