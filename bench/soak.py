"""kill -9 of node and service in turn while phones send: lost, doubled and altered chunks.

What was acknowledged must be in its user's export once, byte for byte, and in the list of its
session; what was not is sent again until it is. Numbers go out in random order, some of them twice,
and some numbers carry two different bodies, both of which must be kept.
"""

import asyncio
import random
import time
from base64 import b64decode
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

from bench.clients import open_session, register_people
from bench.phone import STREAM, ChunkLosses, SoakPhone
from bench.spar_bodies import DATA, cut_pieces, spar_counts
from ingest.export import export_user
from muvr.context import CommandContext
from muvr.deployment import Deployment, deployed
from schemas.errors import MuvrError
from schemas.progress import Progress
from schemas.report import Figure
from store.database import Database
from store.java import quick_java
from store.sessions import Sessions

KILLS = 100
SAMPLES = 10_000_000
WITHIN_S = 3000.0
PHONES = 8
CHUNK_SAMPLES = 1024
DRAIN_S = 120.0


class SoakTookTooLong(MuvrError):
    """The phones made no progress, or could not hand over what they had, in the time given."""


def run(
    context: CommandContext,
    *,
    kills: int = KILLS,
    samples: int = SAMPLES,
    within_s: float = WITHIN_S,
    phones: int = PHONES,
    seed: int = 1,
) -> list[Figure]:
    """Kill `kills` times, at least `samples / kills` acknowledged samples apart, then read back.

    Raises:
        SoakTookTooLong: not done within `within_s`.
    """
    pieces = cut_pieces(spar_counts(context), CHUNK_SAMPLES)
    with quick_java(), deployed(context) as deployment, context.terminal:
        url = deployment.service.url
        sending = [
            SoakPhone(
                url, token, open_session(url, token), pieces, random.Random(seed * 1000 + number)
            )
            for number, token in enumerate(register_people(deployment, "soak", phones))
        ]
        until_s = time.monotonic() + within_s
        soak = _Soak(context.terminal, deployment, sending, random.Random(seed), until_s, samples)
        done = asyncio.run(soak.run(kills))
        losses = asyncio.run(_read_back(deployment, sending))
    return _figures(sending, losses, done)


class _Soak:
    """Phones that send while node and service are killed in turn."""

    def __init__(
        self,
        progress: Progress,
        deployment: Deployment,
        phones: Sequence[SoakPhone],
        chance: random.Random,
        until_s: float,
        samples: int,
    ) -> None:
        self._report, self._deployment, self._phones = progress, deployment, phones
        self._random, self._until_s, self._samples = chance, until_s, samples
        self._ended = 0

    async def run(self, kills: int) -> int:
        """Let the phones send through all kills and hand over the rest.

        Returns:
            the kills that ended a running process.

        Raises:
            SoakTookTooLong: out of time.
        """
        try:
            await self._send_and_kill(kills)
        except BaseExceptionGroup as several:  # a task group never raises an error alone
            late = several.subgroup(SoakTookTooLong)
            if late is None:
                raise
            raise late.exceptions[0] from None
        await asyncio.gather(*(phone.complete() for phone in self._phones))
        return self._ended

    async def _send_and_kill(self, kills: int) -> None:
        stopped, samples = asyncio.Event(), self._samples
        async with asyncio.TaskGroup() as group:
            for phone in self._phones:
                group.create_task(phone.send(stopped))
            for number in range(kills):
                await self._progress(samples / kills)
                await asyncio.sleep(self._random.uniform(0.0, 0.3))
                kill = self._kill_node if number % 2 == 0 else self._kill_service
                self._ended += await asyncio.to_thread(kill)
                self._report.step("kill -9", number + 1, kills)
            await self._progress(samples - self._acknowledged())
            stopped.set()
            await self._drain_phones()

    async def _drain_phones(self) -> None:
        """Wait until the phones have handed over what they had begun to send."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*(phone.done.wait() for phone in self._phones))
        except TimeoutError:
            begun = sum(not phone.done.is_set() for phone in self._phones)
            raise SoakTookTooLong(
                f"{begun} phones still had something to hand over after {DRAIN_S:.0f} s."
            ) from None

    def _acknowledged(self) -> int:
        return sum(phone.samples for phone in self._phones)

    async def _progress(self, samples: float) -> None:
        """Wait until so many more samples are acknowledged."""
        enough = self._acknowledged() + samples
        while self._acknowledged() < enough:
            if time.monotonic() > self._until_s:
                raise SoakTookTooLong(f"{self._acknowledged():,} samples were acknowledged so far.")
            await asyncio.sleep(0.02)
            self._report.step("samples acknowledged", self._acknowledged(), self._samples)

    def _kill_node(self) -> bool:
        ended = self._deployment.kill_node()
        time.sleep(self._random.uniform(0.0, 0.5))
        self._deployment.node.start()
        return ended

    def _kill_service(self) -> bool:
        ended = self._deployment.kill_service()
        time.sleep(self._random.uniform(0.0, 0.5))
        self._deployment.service.start(self._report)
        return ended


async def _read_back(deployment: Deployment, phones: Sequence[SoakPhone]) -> list[ChunkLosses]:
    """Compare what the store gives back with what was sent and acknowledged."""
    with closing(deployment.database()) as database:
        return [await _judge(database, phone) for phone in phones]


async def _judge(database: Database, phone: SoakPhone) -> ChunkLosses:
    """Judge a phone by all rows that its user gets back, whatever session they lie in."""
    rows: list[tuple[int, bytes]] = []
    altered = 0
    async for line in export_user(database, phone.user_id, datetime.now(UTC)):
        if line["table"] == "samples":
            row = line["row"]
            rows.append((row["seq"], b64decode(row["sha256"])))
            altered += b64decode(row["body"]) not in phone.bodies(row["seq"])
    lists = await Sessions(database).lists(phone.user_id, phone.session)
    listed = lists[STREAM].hashes if STREAM in lists else ()
    return phone.judge(rows, listed, altered)


def _figures(
    phones: Sequence[SoakPhone], losses: Sequence[ChunkLosses], kills: int
) -> list[Figure]:
    protocol = (
        f"{len(phones)} phones, chunks of {CHUNK_SAMPLES}, shuffled, a tenth sent twice, one in "
        f"fifty numbers with two bodies; {sum(phone.repeats for phone in phones)} requests were "
        "repeated after an answer that did not come; read back from everybody's export"
    )
    samples = sum(phone.samples for phone in phones)
    figures = [
        Figure("samples", samples, floor=SAMPLES, data=DATA, protocol=protocol),
        Figure(
            "kills",
            kills,
            floor=KILLS,
            protocol="kill -9 that ended a running process: node, service, node, …",
        ),
    ]
    meanings = {
        "lost": "acknowledged, and not in the export or not in the session's list",
        "doubled": "in the export more than once, or a body that nobody sent under that number",
        "altered": "exported bytes that do not give back a body that was sent (sha-256)",
        "refused": "sent right, and answered 4xx",
    }
    return figures + [
        Figure(
            name,
            sum(getattr(verdict, name) for verdict in losses),
            floor=0,
            ceiling=True,
            protocol=meaning,
        )
        for name, meaning in meanings.items()
    ]
