"""Passwords: argon2id, off the event loop, a bounded number at a time."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MAX_CONCURRENT_HASHES = 2  # each takes 64 MiB and a core for some 50 ms


class Passwords:
    """Hashes and verifies.

    Args:
        hasher: what a hash costs; the costs of RFC 9106 by default.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._gate = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """The text to keep for a password."""
        async with self._gate:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether a password is the kept one.

        Without a kept one (no such user) it takes as long and says no.
        """
        if not kept and not self._nobody:
            self._nobody = await self.hash("nobody's password")
        async with self._gate:
            good = await asyncio.to_thread(self._verify, kept or self._nobody, password)
        return good and bool(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False
