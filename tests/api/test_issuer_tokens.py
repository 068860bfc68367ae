"""Tokens that an outside issuer signs: whom they name, and when they end."""

import asyncio
import time
import uuid
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.authenticator import Authenticator
from api.jwks import MAX_AGE_S, IssuerKeys
from api.keys import KeyRing
from api.tokens import Tokens
from schemas.config import Cassandra
from schemas.errors import NotAuthenticated, Retryable
from schemas.times import LATEST
from tests.api.conftest import running, settings
from tests.api.issuer import Issuer, outside
from tests.api.logins import works
from tests.api.phone import Phone, fresh_id


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


@pytest.fixture
def tokens(tmp_path: Path, issuer: Issuer) -> Tokens:
    """Tokens of this server and of an issuer whose keys are in a file."""
    jwks = tmp_path / "jwks.json"
    jwks.write_bytes(issuer.key_set())
    return Tokens(outside(str(jwks)), KeyRing(tmp_path / "secrets", "127.0.0.1"))


def test_an_issuer_whose_clock_is_ahead_is_accepted(tokens: Tokens, issuer: Issuer) -> None:
    ahead_s = int(time.time()) + 60
    assert tokens.read(issuer.sign("theirs", iat=ahead_s), "access").scopes == {"predict"}
    with pytest.raises(NotAuthenticated, match="not valid yet; compare the clocks"):
        tokens.read(issuer.sign("theirs", nbf=ahead_s), "access")


def test_a_token_that_ends_in_milliseconds_is_refused(tokens: Tokens, issuer: Issuer) -> None:
    """It would work over HTTP, and over no WebSocket, which says when it ends."""
    in_ms = int(time.time() * 1000)
    with pytest.raises(NotAuthenticated, match=f"`exp` of {in_ms} lies after 2200.*seconds"):
        tokens.read(issuer.sign("theirs", exp=in_ms), "access")
    last = int(LATEST.timestamp()) - 1
    assert tokens.read(issuer.sign("theirs", exp=last), "access").expires_at == last


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


async def test_a_withdrawn_issuer_key_ends_tokens_that_were_seen_before(
    tmp_path: Path, issuer: Issuer
):
    """No other token makes this worker read the issuer's keys again."""
    now_s, ttl_s = [0.0], 2.0
    jwks = tmp_path / "jwks.json"
    jwks.write_bytes(issuer.key_set())
    tokens = Tokens(outside(str(jwks)), KeyRing(tmp_path / "secrets", "127.0.0.1"))
    tokens._outside = IssuerKeys(str(jwks), clock=lambda: now_s[0])
    authenticator = Authenticator(tokens, None, SubjectsAsUsers(), ttl_s)
    authenticator._verified._clock = lambda: now_s[0]
    token = issuer.sign("theirs")
    await authenticator.authenticate_token(token)
    issuer.keys = {"newer": Ed25519PrivateKey.generate()}
    jwks.write_bytes(issuer.key_set())
    now_s[0] = MAX_AGE_S
    await authenticator.authenticate_token(token)  # the keys are not old yet
    now_s[0] = MAX_AGE_S + ttl_s
    with pytest.raises(NotAuthenticated):
        await authenticator.authenticate_token(token)


def test_a_foreign_token_is_refused_as_retryable_until_the_issuer_was_read(
    tmp_path: Path, issuer: Issuer
):
    tokens = Tokens(outside("https://127.0.0.1:9/keys"), KeyRing(tmp_path, "127.0.0.1"))
    with pytest.raises(Retryable):
        asyncio.run(tokens.read_access(issuer.sign("theirs")))
    for issuer_name in ("muvr", "https://elsewhere.example"):  # of a key that is gone; of nobody
        with pytest.raises(NotAuthenticated):
            asyncio.run(tokens.read_access(issuer.sign("theirs", iss=issuer_name)))
