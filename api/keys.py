"""Signing keys: files of mode 600 under paths.secrets, of which the two newest are trusted.

`token-<kid>.pem` signs access and refresh tokens (Ed25519). Kids sort by creation time: the newest
key signs, and the one before it is still trusted while its tokens last. Both are trusted at once,
but a new key signs `COPY_TIME` after it was made: until then it can be copied to other hosts, which
would refuse its tokens. A running service notices all that by itself. A key that the service had to
generate is called `dev…` and is accepted on loopback only.
"""

import logging
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from schemas.errors import BadConfig, Conflict
from schemas.times import Clock, server_time
from store.secret_file import write_new

LIVE_KEYS = 2
COPY_TIME = timedelta(minutes=10)
"""From the making of a key until it signs, by each host's own clock."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
_DEV = "dev"
_CURSOR_KEY = "cursor.key"
_LOG = logging.getLogger(__name__)
_MADE_AT = "k%Y%m%d%H%M%S"


@dataclass(frozen=True, slots=True)
class Keys:
    """The signing key and the trusted keys.

    Attributes:
        kid: name of the signing key. While its file is gone and the new one cannot be used, it is
            not among the trusted ones, and nothing is signed.
        signing: its private key.
        trusted: kid to public key, including the signing key.
        cursor: 32 secret bytes that sign list cursors.
        next_at: when the newest key begins to sign in the place of this one; None: it does.
    """

    kid: str
    signing: Ed25519PrivateKey
    trusted: dict[str, Ed25519PublicKey]
    cursor: bytes
    next_at: datetime | None = None

    @property
    def development(self) -> bool:
        """Whether the service generated its key by itself."""
        return self.kid.startswith(_DEV)


class KeyRing:
    """The keys of a folder, read again when its files change: a rotation needs no restart."""

    def __init__(self, folder: Path, host: str, clock: Clock = server_time) -> None:
        """Read the keys.

        Raises:
            BadConfig: as `load_keys`.
        """
        self._folder, self._host, self._clock = folder, host, clock
        self._names = _names(folder) or None  # where there is none, a key is generated
        self._keys = load_keys(folder, host, clock())
        self._problem = ""

    @property
    def keys(self) -> Keys:
        """The current keys; checking the folder takes some 10 µs.

        If the folder cannot be read any more, the last keys stay: a running service goes on. If new
        files in it cannot be used, those of the last keys stay whose files are there: a key that
        was deleted may be stolen.
        """
        names = _names(self._folder)
        next_at = self._keys.next_at
        is_due = next_at is not None and self._clock() >= next_at
        if names is not None and (names != self._names or self._problem or is_due):
            self._read_again(names)
        return self._keys

    @property
    def problem(self) -> str:
        """Why the files of the folder are not the keys in use; "" where they are."""
        return self._problem if self.keys else ""

    def _read_again(self, names: tuple[str, ...]) -> None:
        try:
            if not names:  # not a new installation: no key is generated
                raise BadConfig(f"{self._folder} has no signing key; run `muvr token rotate`.")
            keys = load_keys(self._folder, self._host, self._clock())
            self._keys, self._names, self._problem = keys, names, ""
        except (BadConfig, OSError) as problem:
            there = {
                kid: key for kid, key in self._keys.trusted.items() if f"token-{kid}.pem" in names
            }
            self._keys = replace(self._keys, trusted=there)
            if str(problem) != self._problem:
                self._problem = str(problem)
                _LOG.error("Signing keys: %s Trusted: %s.", problem, ", ".join(there) or "none")


def load_keys(folder: Path, host: str, now: datetime) -> Keys:
    """The keys in a folder; one is generated if there is none and the service is on loopback.

    Args:
        folder: where the keys are.
        host: the address that the service listens on.
        now: decides whether the newest key signs yet.

    Raises:
        BadConfig: there is only a development key but the address is public, or a file is no key,
            or is readable by others.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = _key_files(folder)
    if not files:
        write_new(folder / f"token-{_DEV}00000000.pem", _pem(Ed25519PrivateKey.generate()))
        files = _key_files(folder)
    live = {_kid(path): _read(path) for path in files[-LIVE_KEYS:]}
    next_at = signs_from(list(live), now)
    signing = list(live)[-1 if next_at is None else 0]
    trusted = {kid: key.public_key() for kid, key in live.items()}
    keys = Keys(signing, live[signing], trusted, _cursor_key(folder), next_at)
    if keys.development and host not in LOOPBACK_HOSTS:
        raise BadConfig(
            f"api.host = {host}: only the development key is there, and it is good on loopback "
            "only. Make a real one with `muvr token rotate`.",
            field="api.host",
            value=host,
        )
    return keys


def rotate(folder: Path, now: datetime, *, forget_others: bool = False) -> str:
    """Generate a new signing key; the previous one stays trusted, older ones are deleted.

    When the new one begins to sign is told by `signs_from`. A folder without a key for cursors gets
    one: it is to be complete when it is copied to other hosts.

    Args:
        folder: where the keys are.
        now: part of the key's name. Where the newest key bears a later time, as it was made while
            the clock was ahead, the new one is named a second after that: it has to sort last.
        forget_others: trust no other key any more, for a key that was stolen. All users have to log
            in again.

    Returns:
        the new key's kid.

    Raises:
        BadConfig: the keys are another account's, which could not read the new one.
        Conflict: the newest key does not sign yet, and the one that does would be deleted.
    """
    _make_folder(folder)
    before = _key_files(folder)
    if not forget_others:
        _require_signing(trusted_kids(folder), now)
    owner = _other_owner(folder, before)
    times = (_made_at(_kid(path)) for path in before)
    made_at = max([now, *(made + timedelta(seconds=1) for made in times if made)])
    kid = f"{made_at:{_MADE_AT}}-{secrets.token_hex(3)}"  # sorts after `dev…` and by time
    write_new(folder / f"token-{kid}.pem", _pem(Ed25519PrivateKey.generate()), owner)
    _cursor_key(folder, owner)
    for path in before if forget_others else before[: 1 - LIVE_KEYS]:
        path.unlink(missing_ok=True)
    return kid


def signs_from(kids: Sequence[str], now: datetime) -> datetime | None:
    """When the newest of the trusted keys begins to sign; None: it does already.

    It does at once where there is no other, or only a development key beside it. A name that is
    further ahead than `COPY_TIME` was given by a wrong clock and tells nothing: such a key signs.

    >>> now = datetime(2026, 1, 2, tzinfo=UTC)
    >>> signs_from(["k20260101000000-a", "k20260102000000-b"], now)
    datetime.datetime(2026, 1, 2, 0, 10, tzinfo=datetime.timezone.utc)
    >>> signs_from(["dev00000000", "k20260102000000-b"], now)
    """
    if len(kids) < LIVE_KEYS or kids[-2].startswith(_DEV):
        return None
    made_at = _made_at(kids[-1])
    return made_at + COPY_TIME if made_at and abs(now - made_at) < COPY_TIME else None


def _require_signing(kids: Sequence[str], now: datetime) -> None:
    """Raise `Conflict` while the newest of the trusted keys waits."""
    next_at = signs_from(kids, now)
    if next_at is not None:
        raise Conflict(
            f"The newest key, {kids[-1]}, signs from {next_at:%Y-%m-%d %H:%M:%S} UTC on. Another "
            "one before that would end all users' logins. Rotate again then; if a key was stolen, "
            "use --forget-others."
        )


def trusted_kids(folder: Path) -> list[str]:
    """Kids of the keys that a service trusts, by the names of their files; no key is read or made.

    Whoever is not the service may list them: `load_keys` would make files that it cannot read.
    """
    return [_kid(path) for path in _key_files(folder)[-LIVE_KEYS:]]


def _make_folder(folder: Path) -> None:
    """Make the folder of the keys; root's belongs to the owner of the folder that it is made in."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    if not missing:
        return
    about = missing[-1].parent.stat()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() == 0:
        for path in missing:
            os.chown(path, about.st_uid, about.st_gid, follow_symlinks=False)


def _other_owner(folder: Path, files: list[Path]) -> tuple[int, int] | None:
    """User and group to whom root has to give a new key; None where it may be this account's.

    They are those of the keys that are there, which the service reads, or else of the folder.

    Raises:
        BadConfig: the keys are another account's, and this is not root.
    """
    about, account = (files[-1] if files else folder).stat(), os.geteuid()
    if about.st_uid == account or (account != 0 and not files):
        return None
    if account != 0:
        raise BadConfig(
            f"The keys in {folder} belong to user {about.st_uid}, whose service could not read one "
            f"of user {account}; run this as that user.",
            field="paths.secrets",
            value=str(folder),
        )
    return about.st_uid, about.st_gid


def _made_at(kid: str) -> datetime | None:
    """When a key was made, by its name; None of a development key."""
    stamp = kid.partition("-")[0]
    if not re.fullmatch(r"k\d{14}", stamp):
        return None
    return datetime.strptime(stamp, _MADE_AT).replace(tzinfo=UTC)


def _key_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("token-*.pem"))


def _names(folder: Path) -> tuple[str, ...] | None:
    """The names of the key files, to detect changes; None when the folder cannot be read."""
    try:
        return tuple(sorted(name for name in os.listdir(folder) if name.startswith("token-")))
    except OSError:
        return None


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


def _cursor_key(folder: Path, owner: tuple[int, int] | None = None) -> bytes:
    path = folder / _CURSOR_KEY
    if not path.exists():
        write_new(path, secrets.token_bytes(32), owner)
    return path.read_bytes()


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
