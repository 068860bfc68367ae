"""Signing keys: files, rotation and revocation."""

import os
import re
import shutil
import stat
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.health import KEY_PROBLEM
from api.keys import COPY_TIME, KeyRing, load_keys, rotate, trusted_kids
from api.tokens import Tokens
from muvr.token import rotate_key
from schemas.config import Api, Auth, Cassandra
from schemas.errors import BadConfig, Conflict, NotAuthenticated, NotReady
from tests.api.conftest import PASSWORD, Person, RunningService, running, settings
from tests.api.logins import works
from tests.api.phone import problem

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_keys_are_private_files_and_the_newest_two_are_trusted(tmp_path: Path):
    folder = tmp_path / "secrets"
    dev = load_keys(folder, "127.0.0.1", NOW)
    assert dev.development
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    began = datetime(2026, 1, 1, tzinfo=UTC)
    kids = [rotate(folder, began + timedelta(days=days)) for days in (0, 1, 2)]
    keys = load_keys(folder, "0.0.0.0", NOW)
    assert keys.kid == kids[2]
    assert set(keys.trusted) == {kids[1], kids[2]}


def test_a_development_key_is_refused_on_a_non_loopback_address(tmp_path: Path):
    with pytest.raises(BadConfig, match="loopback"):
        load_keys(tmp_path, "0.0.0.0", NOW)
    load_keys(tmp_path, "127.0.0.1", NOW)


def test_a_key_file_readable_by_others_is_refused(tmp_path: Path):
    load_keys(tmp_path, "127.0.0.1", NOW)
    next(tmp_path.glob("token-*.pem")).chmod(0o644)
    with pytest.raises(BadConfig, match="chmod 600"):
        load_keys(tmp_path, "127.0.0.1", NOW)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"junk", "is no signing key"),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "is no Ed25519 key",
        ),
    ],
    ids=["no key", "another kind"],
)
def test_a_file_that_is_no_ed25519_key_is_refused(tmp_path: Path, content: bytes, says: str):
    load_keys(tmp_path, "127.0.0.1", NOW)
    next(tmp_path.glob("token-*.pem")).write_bytes(content)
    with pytest.raises(BadConfig, match=says):
        load_keys(tmp_path, "127.0.0.1", NOW)


def test_the_secret_of_cursors_is_kept(tmp_path: Path):
    first, again = (load_keys(tmp_path, "127.0.0.1", NOW).cursor for _ in range(2))
    assert first == again
    assert len(first) == 32


def test_a_running_service_keeps_its_keys_while_the_files_cannot_be_read(tmp_path: Path):
    folder = tmp_path / "secrets"
    ring = KeyRing(folder, "127.0.0.1")
    kid = ring.keys.kid
    newer = folder / f"token-{rotate(folder, datetime.now(UTC))}.pem"
    newer.chmod(0o644)  # not accepted, but no reason to stop
    assert ring.keys.kid == kid
    newer.chmod(0o600)
    assert ring.keys.kid != kid
    folder.rename(tmp_path / "elsewhere")
    assert ring.keys.kid == newer.stem.removeprefix("token-")


def test_a_deleted_key_is_not_trusted_although_the_new_one_cannot_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    ring = KeyRing(tmp_path, "127.0.0.1")
    tokens = Tokens(Auth(), ring)
    user, login = uuid.uuid4(), uuid.uuid4()
    stolen = tokens.access(user, login, frozenset({"predict"}))
    newer = tmp_path / f"token-{rotate(tmp_path, datetime.now(UTC), forget_others=True)}.pem"
    newer.chmod(0o644)
    for _ in range(3):
        with pytest.raises(NotAuthenticated):
            tokens.read(stolen, "access")
    with pytest.raises(NotReady, match="no key to sign"):
        tokens.access(user, login, frozenset())
    assert f"chmod 600 {newer}" in tokens.key_problem
    [logged] = [one.getMessage() for one in caplog.records if one.name == KeyRing.__module__]
    assert f"chmod 600 {newer}" in logged, "a problem is logged once"
    newer.chmod(0o600)
    assert tokens.key_problem == ""
    assert tokens.read(tokens.access(user, login, frozenset()), "access").user_id == user


def test_a_folder_without_keys_gets_no_development_key_while_the_service_runs(tmp_path: Path):
    ring = KeyRing(tmp_path, "127.0.0.1")
    [file] = tmp_path.glob("token-*.pem")
    content = file.read_bytes()
    file.unlink()
    assert ring.keys.trusted == {}
    assert "muvr token rotate" in ring.problem
    file.write_bytes(content)
    file.chmod(0o600)
    assert (set(ring.keys.trusted), ring.problem) == ({ring.keys.kid}, "")


def test_a_service_whose_new_key_cannot_be_used_is_ready_while_another_signs(
    keyspace: Cassandra, tmp_path: Path
):
    """Nobody is told a path; and what needs a signature writes nothing before."""
    config = settings(keyspace, tmp_path)
    with running(config) as service, service.client() as client:
        assert client.get("/readyz").json()["signing_keys"] == ""
        person = service.register()
        user_id = person.user_id
        secrets = config.paths.secrets
        [older] = secrets.glob("token-*.pem")
        newer = secrets / f"token-{rotate(secrets, datetime.now(UTC))}.pem"
        newer.chmod(0o644)
        assert client.get("/readyz").json()["signing_keys"] == KEY_PROBLEM
        assert works(service, service.register().tokens["access_token"])
        older.rename(tmp_path / "older")
        assert problem(client.get("/readyz"), 503, "not-ready")["detail"] == KEY_PROBLEM
        unknown = {"username": f"nobody-{uuid.uuid4().hex[:8]}", "password": PASSWORD}
        known = {"username": person.username, "password": PASSWORD}
        exchange = {"refresh_token": person.tokens["refresh_token"]}
        before = service.run(service.services.logins.of_user(user_id))
        problem(client.post("/v1/auth/register", json=unknown), 503, "not-ready")
        problem(client.post("/v1/auth/token", data=known), 503, "not-ready")
        problem(client.post("/v1/auth/refresh", json=exchange), 503, "not-ready")
        assert service.run(service.services.users.by_name(unknown["username"])) is None
        assert service.run(service.services.logins.of_user(user_id)) == before
        newer.chmod(0o600)
        assert client.get("/readyz").json()["signing_keys"] == ""
        assert client.post("/v1/auth/register", json=unknown).status_code == 201


def test_a_new_key_belongs_to_the_owner_of_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given: list[tuple[int, int]] = []
    owner, group = tmp_path.stat().st_uid, tmp_path.stat().st_gid
    monkeypatch.setattr(os, "fchown", lambda _, *to: given.append(to))
    rotate(tmp_path, datetime.now(UTC))
    assert given == []
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(BadConfig, match=f"belong to user {owner}, .* run this as that user"):
        rotate(tmp_path, datetime.now(UTC))
    assert len(list(tmp_path.glob("token-*.pem"))) == 1
    if owner:  # root's own folder is nobody else's
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        rotate(tmp_path, datetime.now(UTC))
        assert given == [(owner, group)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_a_new_key_to_the_owner_of_its_folder(tmp_path: Path):
    os.chown(tmp_path, 12345, 12345)
    kid = rotate(tmp_path, datetime.now(UTC))
    about = (tmp_path / f"token-{kid}.pem").stat()
    assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (12345, 12345, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_for_the_first_key_belongs_to_the_owner_of_the_folder_around_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    os.chown(tmp_path, 12345, 12345)
    folder = tmp_path / "run" / "secrets"
    conf = tmp_path / "conf.yaml"
    conf.write_text(f"paths: {{secrets: {folder}}}\n")
    rotate_key(conf=conf)
    [key] = folder.glob("token-*.pem")
    for path in (folder.parent, folder, key, folder / "cursor.key"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345), path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert key.stem.removeprefix("token-") in capsys.readouterr().out


def test_a_token_of_the_previous_key_is_valid_until_the_second_rotation(tmp_path: Path):
    began = datetime(2026, 1, 1, tzinfo=UTC)
    rotate(tmp_path, began)
    ring = KeyRing(tmp_path, "127.0.0.1", lambda: began + timedelta(days=3))
    tokens = Tokens(Auth(), ring)  # keeps running through all rotations
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


def test_new_key_is_trusted_at_once_and_signs_when_it_was_copied(tmp_path: Path):
    """Two hosts: the first makes a key, the second gets its file minutes later."""
    clock = [NOW]
    first, second = tmp_path / "first", tmp_path / "second"
    rotate(first, NOW - timedelta(days=9))
    shutil.copytree(first, second)
    a, b = (
        Tokens(Auth(), KeyRing(folder, "0.0.0.0", lambda: clock[0])) for folder in (first, second)
    )
    user, login = uuid.uuid4(), uuid.uuid4()

    new = rotate(first, NOW)
    clock[0] += COPY_TIME - timedelta(seconds=1)
    token = a.access(user, login, frozenset())
    assert b.read(token, "access").user_id == user, "the key before signs as long as it takes"
    shutil.copy2(first / f"token-{new}.pem", second)
    clock[0] += timedelta(seconds=1)
    token = a.access(user, login, frozenset())
    assert jwt.get_unverified_header(token)["kid"] == new
    assert b.read(token, "access").user_id == user
    assert jwt.get_unverified_header(b.access(user, login, frozenset()))["kid"] == new


@pytest.mark.parametrize("before", ["no key", "a development key", "a stolen key"])
def test_new_key_signs_at_once_where_no_other_host_has_the_one_before(tmp_path: Path, before: str):
    if before == "a development key":
        load_keys(tmp_path, "127.0.0.1", NOW)
    elif before == "a stolen key":
        rotate(tmp_path, NOW - timedelta(days=9))
    new = rotate(tmp_path, NOW, forget_others=before == "a stolen key")
    keys = load_keys(tmp_path, "0.0.0.0", NOW)
    assert (keys.kid, keys.next_at) == (new, None)


def test_rotation_says_when_the_key_signs_and_what_other_hosts_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    conf = tmp_path / "conf.yaml"
    conf.write_text("paths: {secrets: secrets}\n")
    rotate_key(conf=conf)
    assert " signs from now on; " in capsys.readouterr().out
    rotate_key(conf=conf)
    said = capsys.readouterr().out
    assert re.search(r" signs from \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC on; ", said)
    assert re.search(r"need token-k\S+\.pem in their paths\.secrets until then", said)
    rotate_key(forget_others=True, conf=conf)
    assert "Delete all other token-*.pem there." in capsys.readouterr().out


def test_rotation_is_refused_until_the_newest_key_signs(tmp_path: Path):
    """Only two keys are trusted: a third would be in the place of the one that signs."""
    first = rotate(tmp_path, NOW - timedelta(days=9))
    second = rotate(tmp_path, NOW)
    with pytest.raises(Conflict, match=f"{second}, signs from .* UTC on.*--forget-others"):
        rotate(tmp_path, NOW + COPY_TIME - timedelta(seconds=1))
    assert trusted_kids(tmp_path) == [first, second]
    third = rotate(tmp_path, NOW + COPY_TIME)
    assert trusted_kids(tmp_path) == [second, third]


def test_folder_of_a_first_key_is_complete_for_other_hosts(tmp_path: Path):
    """Each host would make a key for cursors of its own, and refuse the other's pages."""
    first, second = tmp_path / "first", tmp_path / "second"
    rotate(first, NOW)
    shutil.copytree(first, second)
    sealed, other = (load_keys(folder, "0.0.0.0", NOW).cursor for folder in (first, second))
    assert sealed == other


@pytest.mark.parametrize("forget_others", [False, True])
def test_new_key_signs_although_the_clock_was_ahead_when_the_last_one_was_made(
    tmp_path: Path, forget_others: bool
):
    stolen = rotate(tmp_path, NOW + timedelta(days=400))
    new = rotate(tmp_path, NOW, forget_others=forget_others)
    keys = load_keys(tmp_path, "0.0.0.0", NOW)
    assert keys.kid == new
    assert set(keys.trusted) == ({new} if forget_others else {stolen, new})
    assert rotate(tmp_path, NOW) > new, "also within the same second"


def test_rotation_that_forgets_others_invalidates_older_tokens_immediately(
    keyspace: Cassandra, tmp_path: Path, service: RunningService, person: Person
):
    """Also in a worker that cached a token signed with it, within `api.pointer_ttl_s`."""
    config = settings(keyspace, tmp_path, api=Api(pointer_ttl_s=0.0))
    with running(config) as other:
        token = other.register().tokens["access_token"]
        assert works(other, token)
        rotate(config.paths.secrets, datetime.now(UTC))
        assert works(other, token)
        rotate(config.paths.secrets, datetime.now(UTC), forget_others=True)
        assert not works(other, token)
        assert works(other, other.register().tokens["access_token"])
