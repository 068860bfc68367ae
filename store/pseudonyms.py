"""The pseudonyms of the mart, and the secret key that makes them."""

import hashlib
import hmac
import secrets
from pathlib import Path

from schemas.errors import BadConfig
from store.mart import MANIFEST, MartFolder
from store.secret_file import write_new

KEY_FILE = "mart-key"
KEY_BYTES = 32
PSEUDONYM_DIGITS = 16  # of a pseudonym: 64 bits, no two of a billion people alike


def pseudonym_key(folder: Path, mart: MartFolder) -> bytes:
    """The key of the pseudonyms: a secret file, created with the first version of the mart.

    Without the key pseudonyms cannot be traced to users; with another key all pseudonyms change.

    Args:
        folder: `paths.secrets`; created if it does not exist.
        mart: whose pseudonyms it makes.

    Raises:
        BadConfig: the file holds no valid key, which would make the pseudonyms insecure; or there
            is none although the mart has been built, as on another host.
    """
    path = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        if (manifest := mart.path / MANIFEST).exists():
            raise BadConfig(
                f"{path} is missing, the key of the pseudonyms in {mart.path}: with a new one "
                "everybody would get another pseudonym.",
                field="paths.secrets",
                value=str(folder),
                next_step="Put it back, or refresh on the host that has it. If everybody is to get "
                f"another pseudonym, delete {manifest}.",
            )
        write_new(path, secrets.token_hex(KEY_BYTES).encode())
    try:
        key = bytes.fromhex(path.read_text())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise BadConfig(
            f"{path} is no key of {KEY_BYTES} bytes in hex digits.",
            field=str(path),
            next_step="Put back the one that was there. If everybody is to get another pseudonym, "
            f"delete the file and {mart.path / MANIFEST}; `muvr mart refresh` then makes a key.",
        )
    return key


def pseudonym(key: bytes, letter: str, id_: object) -> str:
    """The pseudonym of an id in the mart: HMAC-SHA256.

    >>> pseudonym(bytes(32), "u", "00000000-0000-0000-0000-000000000001")
    'u_2f34dcb9d915a09a'
    """
    digest = hmac.new(key, str(id_).encode(), hashlib.sha256).hexdigest()
    return f"{letter}_{digest[:PSEUDONYM_DIGITS]}"


def key_id(key: bytes) -> str:
    """An identifier of a key that does not reveal it."""
    return pseudonym(key, "k", "key")
