"""Signing keys: files of mode 600 under paths.secrets, the two newest are live.

`token-<kid>.pem` signs access and refresh tokens (Ed25519); a kid sorts by the time it was made,
so the newest file signs and the one before it is still believed while its tokens last. A running
service sees a rotation by itself.
A key that the service had to make by itself is called `dev…`: good on loopback only.
"""

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from schemas.errors import BadConfig
from store.secret_file import write_new

LIVE_KEYS = 2
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_DEV = "dev"
_CURSOR_KEY = "cursor.key"


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs and what is believed.

    Attributes:
        kid: name of the key that signs.
        signing: the private half of it.
        trusted: kid to public key, the signing one included.
        cursor: 32 secret bytes that sign list cursors.
    """

    kid: str
    signing: Ed25519PrivateKey
    trusted: dict[str, Ed25519PublicKey]
    cursor: bytes

    @property
    def development(self) -> bool:
        """Whether the service had to make its key by itself."""
        return self.kid.startswith(_DEV)


class KeyRing:
    """The keys of a folder, read again when a key came or went: a rotation needs no restart."""

    def __init__(self, folder: Path, host: str) -> None:
        """Read the keys.

        Raises:
            BadConfig: as `load_keys`.
        """
        self._folder, self._host = folder, host
        self._names = _names(folder)
        self._keys = load_keys(folder, host)

    @property
    def keys(self) -> Keys:
        """What signs and is believed now; looking costs some 10 µs.

        A folder that cannot be read any more changes nothing: a running service goes on.
        """
        names = _names(self._folder)
        if names and names != self._names:
            try:
                self._keys = load_keys(self._folder, self._host)
                self._names = names
            except (BadConfig, OSError):
                return self._keys
        return self._keys


def load_keys(folder: Path, host: str) -> Keys:
    """The keys in a folder; made when there is none and the service listens on loopback.

    Raises:
        BadConfig: only a development key for an address that others can reach, or a file that
            is no key, or that others may read.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = _key_files(folder)
    if not files:
        write_new(folder / f"token-{_DEV}00000000.pem", _pem(Ed25519PrivateKey.generate()))
        files = _key_files(folder)
    live = {_kid(path): _read(path) for path in files[-LIVE_KEYS:]}
    newest = _kid(files[-1])
    if newest.startswith(_DEV) and host not in LOOPBACK:
        raise BadConfig(
            f"api.host = {host}: only the development key is there, and it is good on loopback "
            "only. Make a real one with `muvr token rotate`.",
            field="api.host",
            value=host,
        )
    trusted = {kid: key.public_key() for kid, key in live.items()}
    return Keys(newest, live[newest], trusted, _cursor_key(folder))


def rotate(folder: Path, now: datetime, *, revoke_others: bool = False) -> str:
    """Make a new signing key; the one before it stays believed, older ones are deleted.

    Args:
        folder: where the keys are.
        now: part of the key's name.
        revoke_others: believe no other key any more: for a key that was stolen. Everybody has to
            log in again.

    Returns:
        the new key's kid.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kid = f"k{now:%Y%m%d%H%M%S}-{secrets.token_hex(3)}"  # sorts after `dev…` and by time
    write_new(folder / f"token-{kid}.pem", _pem(Ed25519PrivateKey.generate()))
    for path in _key_files(folder)[: -1 if revoke_others else -LIVE_KEYS]:
        path.unlink(missing_ok=True)
    return kid


def _key_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("token-*.pem"))


def _names(folder: Path) -> tuple[str, ...]:
    """What tells one state of the folder from another; empty when it cannot be read."""
    try:
        return tuple(sorted(name for name in os.listdir(folder) if name.startswith("token-")))
    except OSError:
        return ()


def _kid(path: Path) -> str:
    return path.stem.removeprefix("token-")


def _read(path: Path) -> Ed25519PrivateKey:
    if path.stat().st_mode & 0o077:
        raise BadConfig(f"{path} can be read by others; run `chmod 600 {path}`.", field=str(path))
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as problem:
        raise BadConfig(f"{path} is no signing key: {problem}", field=str(path)) from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise BadConfig(f"{path} is no Ed25519 key.", field=str(path))
    return key


def _cursor_key(folder: Path) -> bytes:
    path = folder / _CURSOR_KEY
    if not path.exists():
        write_new(path, secrets.token_bytes(32))
    return path.read_bytes()


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
