"""Keys of an outside token issuer (JWKS), from a file or an https URL, refreshed when needed.

A token that names an unknown key triggers a refresh, at most every `RETRY_S`: an issuer may rotate
its keys at any time, and nobody can make us flood it with requests. Known keys are read again after
`MAX_AGE_S`, so that a key which the issuer withdrew is no longer trusted. Who needs a key that is
being read waits for it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import jwt

from api.keys import LOOPBACK_HOSTS
from schemas.errors import BadConfig, Retryable

RETRY_S = 30.0
MAX_AGE_S = 3600.0
TIMEOUT_S = 5.0
MAX_BYTES = 2**18  # bytes of a key set
ASYMMETRIC = frozenset({"EdDSA", "ES256", "RS256"})


class IssuerKeys:
    """The issuer's public keys by kid; empty without an outside issuer."""

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the keys of a file at once; those of a URL when the first token needs them.

        Raises:
            BadConfig: the file cannot be read, or the URL is not https.
        """
        self.keys: Mapping[str, jwt.PyJWK] = {}
        self._source = source
        self._clock = clock
        self._fetched_s: float | None = None
        self._tried_s: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._is_remote = _is_url(source)
        if source and not self._is_remote:
            self.keys = _parsed(source, _read_file(source))
            self._fetched_s = self._tried_s = clock()

    async def refresh(self, kid: str | None) -> None:
        """Read the keys again if a token's key is unknown, or the known keys are old.

        An issuer that does not answer changes nothing: the known keys stay.

        Raises:
            Retryable: its keys have never been read, so it is not known whether this is one.
        """
        if not self._source or kid is None:
            return
        if self._fetching is None and self._is_due(kid):
            self._fetching = asyncio.create_task(self._fetch_keys())
            await asyncio.shield(self._fetching)  # others wait for it too
        elif self._fetching is not None and kid not in self.keys:
            await asyncio.shield(self._fetching)
        if self._fetched_s is None:
            raise Retryable("The token's issuer cannot be asked for its keys; send the same again.")

    async def _fetch_keys(self) -> None:
        try:
            self.keys = _parsed(self._source, await self._read())
            self._fetched_s = self._clock()
        except BadConfig:
            return
        finally:
            self._tried_s = self._clock()
            self._fetching = None

    def _is_due(self, kid: str) -> bool:
        now_s = self._clock()
        if self._tried_s is not None and now_s - self._tried_s <= RETRY_S:
            return False
        is_known = kid in self.keys and self._fetched_s is not None
        return not is_known or now_s - (self._fetched_s or 0.0) > MAX_AGE_S

    async def _read(self) -> str:
        if self._is_remote:
            return await _fetch(self._source)
        return await asyncio.to_thread(_read_file, self._source)


def _is_url(source: str) -> bool:
    """Whether the source is a URL; plain http is allowed for this machine only.

    Raises:
        BadConfig: plain http to another machine, where keys could be replaced in transit.
    """
    parts = urlsplit(source)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise _bad_source(source, "an address must begin with https://")
    return parts.scheme in ("http", "https")


def _read_file(source: str) -> str:
    try:
        return Path(source).expanduser().read_text()
    except (OSError, ValueError) as problem:
        raise _bad_source(source, str(problem)) from problem


async def _fetch(address: str) -> str:
    """The text at an address; it may not be large, slow, or elsewhere."""
    import httpx  # 10 MB that a service without an outside issuer saves

    try:
        async with (
            asyncio.timeout(TIMEOUT_S),  # in all: httpx's own is of each single read
            httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream("GET", address) as answer,
        ):
            answer.raise_for_status()
            content = b""
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > MAX_BYTES:
                    raise _bad_source(address, f"its answer is larger than {MAX_BYTES} bytes")
    except (httpx.HTTPError, TimeoutError) as problem:
        raise _bad_source(address, str(problem) or f"no answer within {TIMEOUT_S} s") from problem
    return content.decode(errors="replace")


def _parsed(source: str, text: str) -> dict[str, jwt.PyJWK]:
    """The asymmetric keys of a key set; shared secrets in it are ignored."""
    try:
        keys = jwt.PyJWKSet.from_json(text).keys
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise _bad_source(source, f"no key set: {problem}") from problem
    return {key.key_id: key for key in keys if key.key_id and key.algorithm_name in ASYMMETRIC}


def _bad_source(source: str, why: str) -> BadConfig:
    return BadConfig(
        f"auth.outside_jwks = {source}: {why}", field="auth.outside_jwks", value=source
    )
