"""Hashes passwords with argon2id, off the event loop and with bounded concurrency."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARACTERS, MAX_CHARACTERS = 8, 256  # of a password
MAX_CONCURRENT_HASHES = 2  # each takes 64 MiB and a core for some 50 ms


class Passwords:
    """Hashes and verifies.

    Args:
        hasher: what a hash costs; the costs of RFC 9106 by default.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._dummy_hash = ""

    async def hash(self, password: str) -> str:
        """The hash to store for a password."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored_hash: str | None, password: str) -> bool:
        """Whether a password matches a stored hash.

        Without a hash (no such user) it takes as long and returns False.
        """
        if not stored_hash and not self._dummy_hash:
            self._dummy_hash = await self.hash("nobody's password")
        async with self._slots:
            good = await asyncio.to_thread(self._verify, stored_hash or self._dummy_hash, password)
        return good and bool(stored_hash)

    def _verify(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password)
        except (VerificationError, InvalidHashError):
            return False
