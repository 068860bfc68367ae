"""The published keys of an outside issuer, and the tokens that it signs."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.authenticator import Authenticator
from api.jwks import MAX_AGE_S, MAX_BYTES, RETRY_S, IssuerKeys
from api.keys import KeyRing
from api.tokens import Tokens
from schemas.config import Auth, Cassandra
from schemas.errors import BadConfig, NotAuthenticated, Retryable
from tests.api.conftest import running, settings
from tests.api.phone import Phone, fresh_id
from tests.api.test_auth import works


class Issuer:
    """An outside issuer that signs tokens and publishes keys at a real address."""

    def __init__(self) -> None:
        self.asked = 0
        self.moved = False
        self.padding = b""
        self.keys: dict[str, Ed25519PrivateKey] = {}

    def key_set(self) -> bytes:
        to_jwk = jwt.algorithms.OKPAlgorithm.to_jwk
        keys = [
            {**to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "EdDSA"}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": keys}).encode() + self.padding

    def sign(self, kid: str, **changes: object) -> str:
        claims = {
            "iss": "https://id.example",
            "aud": "muvr",
            "sub": "anna",
            "exp": int(time.time()) + 60,
            "scope": "predict operate",
        }
        return jwt.encode({**claims, **changes}, self.keys[kid], "EdDSA", headers={"kid": kid})

    @contextmanager
    def published(self) -> Iterator[str]:
        """Serve the key set during the block; its URL."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                moved = issuer.moved and self.path == "/keys"
                self.send_response(302 if moved else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(issuer.key_set())

            def log_message(self, *words: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}/keys"
            server.shutdown()
            thread.join()


@pytest.fixture
def issuer() -> Issuer:
    made = Issuer()
    made.keys["theirs"] = Ed25519PrivateKey.generate()
    return made


def outside(source: str) -> Auth:
    return Auth(outside_jwks=source, outside_issuer="https://id.example", outside_audience="muvr")


def test_tokens_of_an_outside_issuer_are_verified_with_its_published_keys(
    tmp_path: Path, issuer: Issuer
):
    jwks = tmp_path / "jwks.json"
    jwks.write_bytes(issuer.key_set())
    tokens = Tokens(outside(str(jwks)), KeyRing(tmp_path / "secrets", "127.0.0.1"))
    first = tokens.read(issuer.sign("theirs"), "access")
    again = tokens.read(issuer.sign("theirs"), "access")
    assert first.user_id == again.user_id
    assert first.scopes == {"predict"}  # operate is granted only by this service
    assert tokens.read(issuer.sign("theirs", sub="ben"), "access").user_id != first.user_id
    for wrong in ({"aud": "other"}, {"iss": "https://evil"}, {"exp": int(time.time()) - 60}):
        with pytest.raises(NotAuthenticated):
            tokens.read(issuer.sign("theirs", **wrong), "access")
    with pytest.raises(NotAuthenticated):
        tokens.read(issuer.sign("theirs"), "refresh")


def test_the_key_set_is_fetched_once_for_tokens_of_an_outside_issuer(
    keyspace: Cassandra, tmp_path: Path, issuer: Issuer
):
    with issuer.published() as address:
        config = settings(keyspace, tmp_path, auth=outside(address))
        with running(config) as service:
            assert works(service, service.register().tokens["access_token"])
            assert issuer.asked == 0, "our own tokens need no request to the issuer"
            token = issuer.sign("theirs", scope="model:read")
            assert works(service, token)
            assert works(service, token)
            assert issuer.asked == 1
            for _ in range(5):  # unknown key ids do not cause repeated requests
                issuer.keys["unknown"] = Ed25519PrivateKey.generate()
                assert not works(service, issuer.sign("unknown", scope="model:read"))
            assert issuer.asked == 1


def test_an_erased_user_of_an_outside_issuer_returns_as_a_new_user(
    keyspace: Cassandra, tmp_path: Path, issuer: Issuer
):
    """Data written under an erased id would be acknowledged but never visible."""
    with issuer.published() as address:
        config = settings(keyspace, tmp_path, auth=outside(address))
        with running(config) as service:
            token = issuer.sign("theirs", scope="sensor:write predict", sub=uuid.uuid4().hex)
            session, one = fresh_id(), fresh_id()
            headers = {"Authorization": f"Bearer {token}"}
            for _ in range(3):
                with httpx.Client(base_url=service.url, headers=headers, timeout=30) as client:
                    phone = Phone(client, session)
                    assert phone.open().status_code == 200
                    assert phone.confirm(one).status_code == 200
                    assert len(client.get("/v1/sessions").json()["sessions"]) == 1
                    assert client.delete("/v1/me").status_code == 200
                    assert client.get("/v1/sessions").json()["sessions"] == []


class SubjectsAsUsers:
    """Users whose id is their subject."""

    async def user_of_subject(self, subject: uuid.UUID) -> uuid.UUID:
        return subject


def test_a_withdrawn_issuer_key_ends_tokens_that_were_seen_before(tmp_path: Path, issuer: Issuer):
    """No other token makes this worker read the issuer's keys again."""
    now_s, ttl_s = [0.0], 2.0
    jwks = tmp_path / "jwks.json"
    jwks.write_bytes(issuer.key_set())
    tokens = Tokens(outside(str(jwks)), KeyRing(tmp_path / "secrets", "127.0.0.1"))
    tokens._outside = IssuerKeys(str(jwks), clock=lambda: now_s[0])
    authenticator = Authenticator(tokens, None, SubjectsAsUsers(), ttl_s)
    authenticator._verified._clock = lambda: now_s[0]
    token = issuer.sign("theirs")

    async def story() -> None:
        await authenticator.authenticate_token(token)
        issuer.keys = {"newer": Ed25519PrivateKey.generate()}
        jwks.write_bytes(issuer.key_set())
        now_s[0] = MAX_AGE_S
        await authenticator.authenticate_token(token)  # the keys are not old yet
        now_s[0] = MAX_AGE_S + ttl_s
        with pytest.raises(NotAuthenticated):
            await authenticator.authenticate_token(token)

    asyncio.run(story())


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


def test_a_foreign_token_is_refused_as_retryable_until_the_issuer_was_read(
    tmp_path: Path, issuer: Issuer
):
    tokens = Tokens(outside("https://127.0.0.1:9/keys"), KeyRing(tmp_path, "127.0.0.1"))
    with pytest.raises(Retryable):
        asyncio.run(tokens.read_access(issuer.sign("theirs")))
    for issuer_name in ("muvr", "https://elsewhere.example"):  # of a key that is gone; of nobody
        with pytest.raises(NotAuthenticated):
            asyncio.run(tokens.read_access(issuer.sign("theirs", iss=issuer_name)))


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


@pytest.mark.parametrize(("pause_s", "most_parts"), [(0.0, 200), (0.02, 50)])
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
