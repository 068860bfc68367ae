"""A simulated phone: it keeps and resends every chunk until its receipt has come."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import httpx
import jwt
import msgspec

from ingest.chunks import canonical_body
from ingest.media_types import CBOR
from models.signal.pieces import Piece
from schemas.wire import Receipt

STREAM = "acc"
CHUNKS_UNDER_WAY = 6
BACKLOG_CHUNKS = 8 * CHUNKS_UNDER_WAY  # a phone that cannot send records no more than this
PAUSE_S = 0.1  # between windows: traffic at every moment, not a flood
AGAIN_S = 0.2
TWICE_SHARE = 0.1  # share of requests that are sent twice
TWO_BODIES_SHARE = 0.02  # share of numbers under which a second body is sent


class ChunkLosses(NamedTuple):
    """How many of a phone's chunks were not stored as sent."""

    lost: int
    doubled: int
    altered: int
    refused: int


class SoakPhone:
    """One session of one person."""

    def __init__(
        self, url: str, token: str, session: UUID, pieces: Sequence[Piece], chance: random.Random
    ) -> None:
        self.session = session
        self.samples = 0
        self.repeats = 0
        self.done = asyncio.Event()
        self._url, self._pieces, self._random = url, pieces, chance
        self._headers = {"Authorization": f"Bearer {token}"}
        self._token = token
        self._sent: dict[int, list[bytes]] = {}  # number → hashes of its bodies, the first counts
        self._acknowledged: set[tuple[int, bytes]] = set()
        self._unacknowledged: list[tuple[int, int]] = []  # number, which of its bodies
        self._refused = 0

    @property
    def user_id(self) -> UUID:
        """The id of the user whom the token names."""
        claims = jwt.decode(self._token, options={"verify_signature": False})
        return UUID(claims["sub"])

    async def send(self, stopped: asyncio.Event) -> None:
        """Send new chunks until `stopped`, then what waits; `done` says when nothing does."""
        async with httpx.AsyncClient(headers=self._headers, timeout=15, trust_env=False) as http:
            while self._unacknowledged or not stopped.is_set():
                if not stopped.is_set() and len(self._unacknowledged) < BACKLOG_CHUNKS:
                    self._record(CHUNKS_UNDER_WAY)
                self._random.shuffle(self._unacknowledged)
                batch, self._unacknowledged = (
                    self._unacknowledged[:CHUNKS_UNDER_WAY],
                    self._unacknowledged[CHUNKS_UNDER_WAY:],
                )
                batch += [body for body in batch if self._random.random() < TWICE_SHARE]
                answered = await asyncio.gather(*(self._put(http, *body) for body in batch))
                await asyncio.sleep(PAUSE_S if all(answered) else AGAIN_S)
        self.done.set()

    async def complete(self) -> None:
        """Tell the server which chunks are the session.

        Raises:
            httpx.HTTPStatusError: it does not hold them all.
        """
        hashes = [self._sent[number][0].hex() for number in sorted(self._sent)]
        async with httpx.AsyncClient(headers=self._headers, timeout=60, trust_env=False) as http:
            answer = await http.post(
                f"{self._url}/v1/sessions/{self.session}/complete",
                json={"sent_at": datetime.now(UTC).isoformat(), "streams": {STREAM: hashes}},
            )
            answer.raise_for_status()

    def bodies(self, number: int) -> list[bytes]:
        """The bodies that were sent under a number."""
        return [
            self._body(number, body_number)
            for body_number in range(len(self._sent.get(number, ())))
        ]

    def judge(
        self, rows: Sequence[tuple[int, bytes]], listed: Sequence[bytes], altered: int
    ) -> ChunkLosses:
        """Compare what the store gives back with what was sent.

        Args:
            rows: (number, hash) of every row of the person's.
            listed: the hashes in the session's list, by number.
            altered: rows whose bytes nobody sent.
        """
        stored = Counter(rows)
        sent = {(number, sha256) for number, hashes in self._sent.items() for sha256 in hashes}
        counting = {(number, hashes[0]) for number, hashes in self._sent.items()}
        unlisted = counting - set(enumerate(listed))
        return ChunkLosses(
            lost=len(self._acknowledged & (unlisted | (self._acknowledged - stored.keys()))),
            doubled=sum(stored.values()) - len(stored) + len(stored.keys() - sent),
            altered=altered,
            refused=self._refused,
        )

    def _record(self, chunks: int) -> None:
        """New numbers, some of them with a second body."""
        for _ in range(chunks):
            number = len(self._sent)
            count = 2 if self._random.random() < TWO_BODIES_SHARE else 1
            self._sent[number] = [
                hashlib.sha256(self._body(number, body_number)).digest()
                for body_number in range(count)
            ]
            self._unacknowledged += [(number, body_number) for body_number in range(count)]

    def _body(self, number: int, body_number: int) -> bytes:
        piece = self._pieces[number % len(self._pieces)]
        length_ns = round(len(piece.counts) / piece.rate_hz * 1e9)
        start_ns = self._pieces[0].t0_ns + number * length_ns + body_number
        return canonical_body(replace(piece, t0_ns=start_ns))

    async def _put(self, http: httpx.AsyncClient, number: int, body_number: int) -> bool:
        """Send one body; keep it for later when its receipt does not come."""
        sha256 = self._sent[number][body_number]
        try:
            answer = await http.put(
                f"{self._url}/v1/sessions/{self.session}/streams/{STREAM}/chunks/{number}",
                content=self._body(number, body_number),
                headers={"Content-Type": CBOR},
            )
        except httpx.TransportError:
            return self._retry_later(number, body_number)
        if answer.status_code != 200:
            self._refused += answer.status_code < 500
            return self._retry_later(number, body_number)
        receipt = msgspec.json.decode(answer.content, type=Receipt)
        if receipt.sha256 != sha256.hex():
            self._refused += 1
            return self._retry_later(number, body_number)
        if (number, sha256) not in self._acknowledged:
            self._acknowledged.add((number, sha256))
            self.samples += receipt.samples
        return True

    def _retry_later(self, number: int, body_number: int) -> bool:
        self.repeats += 1
        if (number, body_number) not in self._unacknowledged:
            self._unacknowledged.append((number, body_number))
        return False
