"""The jar cache, against a local HTTP server as the remote repository."""

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from schemas.errors import BadJar
from store.node import jars
from tests.ports import free_ports

BODY = b"a jar of bytes"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A remote repository that jgo is configured to use; returns the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    handler = partial(_Quiet, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _configure(monkeypatch, tmp_path, server.server_port)
        yield served
        server.shutdown()


def _configure(monkeypatch: pytest.MonkeyPatch, folder: Path, port: int) -> None:
    """Point jgo at one repository and away from the user's own."""
    settings = folder / "jgo.conf"
    settings.write_text(
        f"[settings]\nrepo_cache = {folder / 'm2'}\n"
        f"[repositories]\nhere = http://127.0.0.1:{port}\n"
    )
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


def _lock(folder: Path, body: bytes) -> Path:
    lock = folder / "one.toml"
    lock.write_text(
        '[[dependencies]]\ngroupId = "org.one"\nartifactId = "one"\nversion = "1.0"\n'
        f'sha256 = "{hashlib.sha256(body).hexdigest()}"\n'
    )
    return lock


def _serve(shelf: Path, body: bytes) -> None:
    place = shelf / "org" / "one" / "one" / "1.0" / "one-1.0.jar"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(body)


class _Heard:
    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int | None]] = []

    def step(self, what: str, done: int, total: int | None = None) -> None:
        self.steps.append((what, done, total))


def test_a_jar_is_fetched_once(shelf: Path, tmp_path: Path) -> None:
    _serve(shelf, BODY)
    heard = _Heard()
    found = jars.locked_jars(_lock(tmp_path, BODY), tmp_path / "cache", heard)
    assert [jar.read_bytes() for jar in found] == [BODY]
    assert heard.steps == [("fetching jars (one)", 0, 1), ("fetching jars (one)", 1, 1)]
    _serve(shelf, b"something else")
    assert jars.locked_jars(_lock(tmp_path, BODY), tmp_path / "cache", heard) == found
    assert len(heard.steps) == 2
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == ["org"]


def test_jar_with_a_wrong_hash_is_refused_and_not_cached(shelf: Path, tmp_path: Path) -> None:
    _serve(shelf, BODY[:-1])
    with pytest.raises(BadJar, match=r"org\.one:one:1\.0 has the hash .* the lock says"):
        jars.locked_jars(_lock(tmp_path, BODY), tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*.jar")) == []
    _serve(shelf, BODY)  # the next try succeeds
    assert jars.locked_jars(_lock(tmp_path, BODY), tmp_path / "cache")


def test_damaged_cached_jar_is_refused(shelf: Path, tmp_path: Path) -> None:
    _serve(shelf, BODY)
    (jar,) = jars.locked_jars(_lock(tmp_path, BODY), tmp_path / "cache")
    jar.write_bytes(BODY + b"!")
    with pytest.raises(BadJar, match=r"org\.one:one:1\.0 .* Delete .*one-1\.0\.jar to fetch"):
        jars.locked_jars(_lock(tmp_path, BODY), tmp_path / "cache")


def test_unreachable_jar_is_named_in_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _configure(monkeypatch, tmp_path, free_ports(1)[0])
    with pytest.raises(BadJar, match=r"org\.one:one:1\.0 could not be fetched"):
        jars.locked_jars(_lock(tmp_path, BODY), tmp_path / "cache")


def test_cache_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    """As for a system account whose home is not there."""
    home = tmp_path / "nologin"
    home.touch()
    with pytest.raises(BadJar, match=f"{home}.*: Not a directory.*paths.jars.*MUVR_PATHS__JARS"):
        jars.locked_jars(_lock(tmp_path, BODY), home / ".cache" / "jars")


def test_cache_of_another_account_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    lock = _lock(tmp_path, BODY)
    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(BadJar, match=r"cache: Permission denied.*paths\.jars"):
        jars.locked_jars(lock, tmp_path / "cache")


def test_lock_files_hold_hashes_and_no_urls() -> None:
    for name, least in (("cassandra", 90), ("connector", 10)):
        text = (jars.LOCKS / f"{name}.toml").read_text()
        assert text.count("sha256") == text.count("artifactId") >= least
        assert "://" not in text
    connector = (jars.LOCKS / "connector.toml").read_text()
    for twice in ("scala-library", "scala-reflect", "slf4j"):
        assert twice not in connector
