"""Who may come in: registration, tokens, rotation as the contract says, revocation, keys."""

import asyncio
import json
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.keys import KeyRing, load_keys, rotate
from api.outside import AGAIN_S, FRESH_S, OutsideKeys
from api.tokens import Tokens
from schemas.config import Api, Auth, Cassandra
from schemas.errors import BadConfig, NotAuthenticated
from tests.api.conftest import PASSWORD, Person, RunningService, running, settings
from tests.cassandra_node import free_ports


def refresh(service: RunningService, token: str) -> httpx.Response:
    with service.client() as client:
        return client.post("/v1/auth/refresh", json={"refresh_token": token})


def works(service: RunningService, access_token: str) -> bool:
    with service.client(access_token) as client:
        return client.get("/v1/me/models").status_code == 200


def test_register_answers_tokens_that_work(service: RunningService, person: Person):
    assert set(person.tokens) == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "scope",
    }
    assert person.tokens["token_type"] == "bearer"
    assert person.tokens["expires_in"] == 15 * 60
    assert "operate" not in person.tokens["scope"]
    assert works(service, person.tokens["access_token"])


def test_a_name_is_taken_once_even_by_twenty_at_the_same_moment(service: RunningService):
    name = f"twin-{uuid.uuid4().hex[:8]}"
    body = {"username": name, "password": PASSWORD}

    def register(_: int) -> int:
        return httpx.post(f"{service.url}/v1/auth/register", json=body, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(register, range(8)))
    assert sorted(answers) == [201] + [409] * 7


def test_a_name_in_other_letters_is_the_same_name(service: RunningService, person: Person):
    with service.client() as client:
        again = client.post(
            "/v1/auth/register", json={"username": person.username.upper(), "password": PASSWORD}
        )
        login = client.post(
            "/v1/auth/token", data={"username": person.username.upper(), "password": PASSWORD}
        )
    assert again.status_code == 409
    assert again.json()["type"] == "urn:muvr:problem:name-taken"
    assert login.status_code == 200


def test_a_refused_password_is_not_repeated_in_the_answer(service: RunningService):
    with service.client() as client:
        answer = client.post("/v1/auth/register", json={"username": "x", "password": "hunter2"})
        without_name = client.post("/v1/auth/register", json={"password": "hunter2secret"})
    assert answer.status_code == without_name.status_code == 422
    assert "hunter2" not in answer.text + without_name.text
    assert answer.json()["field"] == "password"


def test_the_password_form(service: RunningService, person: Person):
    with service.client() as client:
        form = {"username": person.username, "password": PASSWORD, "scope": "predict operate"}
        good = client.post("/v1/auth/token", data=form)
        bad = client.post("/v1/auth/token", data={**form, "password": "wrong horse battery"})
        nobody = client.post("/v1/auth/token", data={**form, "username": "nobody-at-all"})
        unknown = client.post("/v1/auth/token", data={**form, "scope": "everything"})
    assert good.json()["scope"] == "predict"  # operate is not the user's to ask for
    assert good.headers["cache-control"] == "no-store"
    assert (bad.status_code, nobody.status_code) == (401, 401)
    assert bad.json()["type"] == nobody.json()["type"] == "urn:muvr:problem:wrong-password"
    assert unknown.status_code == 422


def test_a_lost_answer_logs_nobody_out(service: RunningService, person: Person):
    first = person.tokens["refresh_token"]
    lost = refresh(service, first)
    again = refresh(service, first)  # the answer to the first was lost on the way
    assert (lost.status_code, again.status_code) == (200, 200)
    assert refresh(service, again.json()["refresh_token"]).status_code == 200


def test_reuse_after_the_successor_was_used_ends_the_whole_login(
    service: RunningService, person: Person
):
    first = person.tokens["refresh_token"]
    second = refresh(service, first).json()
    third = refresh(service, second["refresh_token"]).json()
    assert works(service, third["access_token"])
    stolen = refresh(service, first)
    assert stolen.status_code == 401
    assert stolen.json()["type"] == "urn:muvr:problem:token-reused"
    assert refresh(service, third["refresh_token"]).status_code == 401
    assert not works(service, third["access_token"])


def test_of_two_successors_of_one_token_only_one_lives(service: RunningService, person: Person):
    """A thief who refreshes with a copied token is found out, whoever comes first."""
    first = person.tokens["refresh_token"]
    thief, owner = refresh(service, first).json(), refresh(service, first).json()
    assert refresh(service, thief["refresh_token"]).status_code == 200
    assert refresh(service, owner["refresh_token"]).status_code == 401
    assert refresh(service, thief["refresh_token"]).status_code == 401


def test_the_same_token_twice_at_once_is_no_theft(service: RunningService, person: Person):
    token = person.tokens["refresh_token"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: refresh(service, token), range(6)))
    good = [a for a in answers if a.status_code == 200]
    assert good
    assert refresh(service, good[-1].json()["refresh_token"]).status_code == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_its_login_at_once(
    service: RunningService, person: Person, which: str
):
    assert works(service, person.tokens["access_token"])  # remembered as good
    with service.client() as client:
        assert (
            client.post("/v1/auth/revoke", json={"token": person.tokens[which]}).status_code == 204
        )
        assert client.post("/v1/auth/revoke", json={"token": "nonsense"}).status_code == 204
    assert not works(service, person.tokens["access_token"])
    assert refresh(service, person.tokens["refresh_token"]).status_code == 401


def test_one_login_ends_without_the_other(service: RunningService, person: Person):
    form = {"username": person.username, "password": PASSWORD}
    with service.client() as client:
        phone = client.post("/v1/auth/token", data=form).json()
        client.post("/v1/auth/revoke", json={"token": person.tokens["access_token"]})
    assert works(service, phone["access_token"])


def test_a_revocation_reaches_a_worker_that_remembers_the_token(
    keyspace: Cassandra, tmp_path: Path, service: RunningService, person: Person
):
    """Another worker forgets within `api.pointer_ttl_s`; both believe the same keys."""
    config = settings(keyspace, tmp_path)
    config = config.model_copy(update={"paths": service.config.paths})
    with running(config) as other:
        assert works(other, person.tokens["access_token"])
        service.run(service.services.logins.revoke(person.user_id, person.login_id))
        time.sleep(config.api.pointer_ttl_s + 0.2)
        assert not works(other, person.tokens["access_token"])


def test_a_granted_scope_comes_with_the_next_refresh(service: RunningService, person: Person):
    with person.client() as client:
        assert client.get("/v1/jobs").status_code == 403
    service.run(service.services.users.grant(person.username, ["operate"]))
    pair = refresh(service, person.tokens["refresh_token"]).json()
    assert "operate" in pair["scope"]
    with service.client(pair["access_token"]) as client:
        assert client.get("/v1/jobs").status_code == 200


def test_a_refresh_token_is_no_access_token_nor_the_other_way(
    service: RunningService, person: Person
):
    assert not works(service, person.tokens["refresh_token"])
    assert refresh(service, person.tokens["access_token"]).status_code == 401


def test_logins_are_limited_per_address(keyspace: Cassandra, tmp_path: Path):
    config = settings(keyspace, tmp_path)
    config = config.model_copy(
        update={"limits": config.limits.model_copy(update={"logins_per_minute": 3})}
    )
    with running(config) as small, small.client() as client:
        answers = [client.post("/v1/auth/refresh", json={"refresh_token": "x"}) for _ in range(5)]
    assert [a.status_code for a in answers] == [401, 401, 401, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].headers["ratelimit"].startswith('"logins";r=0;')
    assert answers[0].headers["ratelimit"].startswith('"default";r=2;')


# --- keys and tokens without a service


def test_keys_are_secret_files_and_two_are_live(tmp_path: Path):
    folder = tmp_path / "secrets"
    dev = load_keys(folder, "127.0.0.1")
    assert dev.development
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    began = datetime(2026, 1, 1, tzinfo=UTC)
    kids = [rotate(folder, began + timedelta(days=days)) for days in (0, 1, 2)]
    keys = load_keys(folder, "0.0.0.0")
    assert keys.kid == kids[2]
    assert set(keys.believed) == {kids[1], kids[2]}


def test_a_development_key_is_refused_for_an_address_that_others_reach(tmp_path: Path):
    with pytest.raises(BadConfig, match="loopback"):
        load_keys(tmp_path, "0.0.0.0")
    load_keys(tmp_path, "127.0.0.1")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path):
    load_keys(tmp_path, "127.0.0.1")
    next(tmp_path.glob("token-*.pem")).chmod(0o644)
    with pytest.raises(BadConfig, match="chmod 600"):
        load_keys(tmp_path, "127.0.0.1")


def test_a_token_of_the_previous_key_is_good_until_the_key_after_next(tmp_path: Path):
    began = datetime(2026, 1, 1, tzinfo=UTC)
    rotate(tmp_path, began)
    tokens = Tokens(Auth(), KeyRing(tmp_path, "127.0.0.1"))  # runs on through all rotations
    user, login = uuid.uuid4(), uuid.uuid4()
    token = tokens.access(user, login, frozenset({"predict"}))
    second = rotate(tmp_path, began + timedelta(days=1))
    assert tokens.read(token, "access").user_id == user
    newer = tokens.access(user, login, frozenset({"predict"}))
    assert jwt.get_unverified_header(newer)["kid"] == second
    rotate(tmp_path, began + timedelta(days=2))
    assert tokens.read(newer, "access").user_id == user
    with pytest.raises(NotAuthenticated):
        tokens.read(token, "access")
    assert len(list(tmp_path.glob("token-*.pem"))) == 2


def test_a_stolen_key_is_forgotten_at_once(
    keyspace: Cassandra, tmp_path: Path, service: RunningService, person: Person
):
    """Also by a worker that remembers a token which it signed, within `api.pointer_ttl_s`."""
    config = settings(keyspace, tmp_path, api=Api(port=free_ports(1)[0], pointer_ttl_s=0.0))
    with running(config) as other:
        token = other.register().tokens["access_token"]
        assert works(other, token)
        rotate(config.paths.secrets, datetime.now(UTC))
        assert works(other, token)
        rotate(config.paths.secrets, datetime.now(UTC), forget_others=True)
        assert not works(other, token)
        assert works(other, other.register().tokens["access_token"])


class Issuer:
    """Somebody else who signs tokens and publishes keys, at a real address."""

    def __init__(self) -> None:
        self.asked = 0
        self.keys: dict[str, Ed25519PrivateKey] = {}

    def key_set(self) -> bytes:
        to_jwk = jwt.algorithms.OKPAlgorithm.to_jwk
        keys = [
            {**to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "EdDSA"}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": keys}).encode()

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
        """The address of the key set while the block lasts."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                self.send_response(200)
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


def test_an_outside_issuer_by_its_published_keys(tmp_path: Path, issuer: Issuer):
    jwks = tmp_path / "jwks.json"
    jwks.write_bytes(issuer.key_set())
    tokens = Tokens(outside(str(jwks)), KeyRing(tmp_path / "secrets", "127.0.0.1"))
    first = tokens.read(issuer.sign("theirs"), "access")
    again = tokens.read(issuer.sign("theirs"), "access")
    assert first.user_id == again.user_id
    assert first.scopes == {"predict"}  # operating is granted here, not elsewhere
    assert tokens.read(issuer.sign("theirs", sub="ben"), "access").user_id != first.user_id
    for wrong in ({"aud": "other"}, {"iss": "https://evil"}, {"exp": int(time.time()) - 60}):
        with pytest.raises(NotAuthenticated):
            tokens.read(issuer.sign("theirs", **wrong), "access")
    with pytest.raises(NotAuthenticated):
        tokens.read(issuer.sign("theirs"), "refresh")


def test_a_service_takes_tokens_of_an_issuer_that_rotates(
    keyspace: Cassandra, tmp_path: Path, issuer: Issuer
):
    with issuer.published() as address:
        config = settings(keyspace, tmp_path, auth=outside(address))
        with running(config) as service:
            assert works(service, service.register().tokens["access_token"])
            assert issuer.asked == 0, "our own tokens ask nobody"
            token = issuer.sign("theirs", scope="model:read")
            assert works(service, token)
            assert works(service, token)
            assert issuer.asked == 1
            for _ in range(5):  # nobody makes us ask again and again
                issuer.keys["unknown"] = Ed25519PrivateKey.generate()
                assert not works(service, issuer.sign("unknown", scope="model:read"))
            assert issuer.asked == 1


def test_an_issuers_keys_come_and_go(issuer: Issuer):
    now_s = 1000.0
    with issuer.published() as address:
        keys = OutsideKeys(address, clock=lambda: now_s)
        asyncio.run(keys.refresh("theirs"))
        issuer.keys = {"newer": Ed25519PrivateKey.generate()}
        asyncio.run(keys.refresh("newer"))
        assert (set(keys.keys), issuer.asked) == ({"theirs"}, 1), "it was asked a moment ago"
        now_s += AGAIN_S + 1
        asyncio.run(keys.refresh("newer"))
        assert (set(keys.keys), issuer.asked) == ({"newer"}, 2)
        issuer.keys = {"third": Ed25519PrivateKey.generate()}
        now_s += AGAIN_S + 1
        asyncio.run(keys.refresh("newer"))
        assert issuer.asked == 2, "it is known, and fresh"
        now_s += FRESH_S
        asyncio.run(keys.refresh("newer"))
        assert set(keys.keys) == {"third"}, "what the issuer withdrew is not believed"
    now_s += FRESH_S + 1
    asyncio.run(keys.refresh("third"))  # nobody answers any more: no error
    assert set(keys.keys) == {"third"}


@pytest.mark.parametrize(
    ("source", "says"),
    [("http://id.example/keys", "https"), ("/nowhere/keys.json", "No such file")],
)
def test_an_outside_issuer_that_cannot_be_read_is_named(source: str, says: str):
    with pytest.raises(BadConfig, match=says):
        OutsideKeys(source)


def test_a_shared_secret_is_no_published_key(tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}))
    assert OutsideKeys(str(path)).keys == {}
