"""A cheap load generator: a process of its own that writes requests as bytes.

`python -m bench.load_generator < plan.json > result.json`, which `bench.load.drive(plan)` calls.
"""

import asyncio
import itertools
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import uvloop

from bench.load import LoadPlan, LoadResult, RequestTarget

ANSWERED_WITHIN_S = 30.0


class KeepAlive(asyncio.Protocol):
    """One keep-alive connection that waits for one answer at a time."""

    def __init__(self, run: "LoadRun", target: RequestTarget) -> None:
        before, _, after = target.path.partition("{seq}")
        self._run = run
        self._before = f"{target.method} {before}".encode()
        self._after = (
            f"{after} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {target.token}\r\n"
            f"Content-Type: {run.plan.media_type}\r\nContent-Length: "
        ).encode()
        self._counts = "{seq}" in target.path
        self._buffer = b""
        self._expected = b""
        self.seq = run.plan.first_seq
        self.due_s = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def ask(self, body: bytes, expected: bytes, due_s: float) -> None:
        """Send one request."""
        self.busy, self.due_s, self._expected = True, due_s, expected
        number = b"%d" % self.seq if self._counts else b""
        self.seq += 1
        self._transport.write(
            b"".join((self._before, number, self._after, b"%d\r\n\r\n" % len(body), body))
        )

    def data_received(self, data: bytes) -> None:
        """Take an answer once it is whole."""
        data = self._buffer + data if self._buffer else data
        head = data.find(b"\r\n\r\n")
        at = data.lower().find(b"content-length:", 0, head) if head >= 0 else -1
        if at < 0 or len(data) < head + 4 + int(data[at + 15 : data.index(b"\r", at)]):
            self._buffer = data
            return
        self._buffer = b""
        status = int(data[9:12])
        self.busy = False
        self._run.answered(self, status, right=status == 200 and self._expected in data)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that breaks is no answer."""
        if self.busy:
            self._run.answered(self, 0, right=False)
        self._run.connections.discard(self)


class RequestQueue:
    """Gives bodies in turn to free connections; what falls due waits until there is one."""

    def __init__(self, bodies: Sequence[tuple[bytes, bytes]]) -> None:
        self._bodies = itertools.cycle(bodies)
        self._due_s: deque[float] = deque()
        self._free: deque[KeepAlive] = deque()

    def add(self, due_s: float) -> None:
        """A request falls due: its time runs, also while it waits."""
        self._due_s.append(due_s)
        self._send()

    def release(self, connection: KeepAlive) -> None:
        """A connection may send its next request."""
        self._free.append(connection)
        self._send()

    def __len__(self) -> int:
        """Requests that are due and wait for a connection."""
        return len(self._due_s)

    def _send(self) -> None:
        if self._due_s and self._free:
            self._free.popleft().ask(*next(self._bodies), self._due_s.popleft())


class AnswerTally:
    """What was answered so far."""

    def __init__(self) -> None:
        self._latencies_s: list[float] = []
        self._wrong: Counter[int] = Counter()
        self._ended_s = 0.0

    def add(self, status: int, due_s: float, now_s: float, *, right: bool) -> None:
        """Count one answer."""
        self._ended_s = now_s
        if right:
            self._latencies_s.append(now_s - due_s)
        else:
            self._wrong[status] += 1

    def add_unanswered(self, requests: int) -> None:
        """Count requests that nobody has answered, or that were never sent."""
        self._wrong[0] += requests

    def result(self, began_s: float, cpu_s: float, next_seq: int) -> LoadResult:
        """The result of a run that began at a time of `time.perf_counter`."""
        quantiles = (50, 90, 99, 100)
        took_us = (
            dict(zip(quantiles, np.percentile(self._latencies_s, quantiles) * 1e6, strict=True))
            if self._latencies_s
            else {}
        )
        return LoadResult(
            right=len(self._latencies_s),
            wrong=dict(+self._wrong),
            seconds=max(self._ended_s, began_s) - began_s,
            latency_us={quantile: float(us) for quantile, us in took_us.items()},
            cpu_s=cpu_s,
            next_seq=next_seq,
        )


class LoadRun:
    """A plan under way: when requests fall due, and when it is over."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.connections: set[KeepAlive] = set()
        self._requests = RequestQueue(
            msgspec.msgpack.decode(Path(plan.bodies).read_bytes(), type=list[tuple[bytes, bytes]])
        )
        self._answers = AnswerTally()
        self._finished = False

    async def run(self) -> LoadResult:
        """Carry out the plan from its first request to its last answer."""
        connections = await self._connect()
        used_s, began_s = time.process_time(), time.perf_counter()
        for connection in connections:
            self._requests.release(connection)
        if self.plan.rate_per_s:
            await self._open_loop(began_s)
        else:
            for _ in connections:
                self._requests.add(time.perf_counter())
            await asyncio.sleep(self.plan.seconds)
        self._finished = True
        await self._drain()
        busy = sum(connection.busy for connection in self.connections)
        self._answers.add_unanswered(busy + len(self._requests))
        next_seq = max(connection.seq for connection in connections)
        return self._answers.result(began_s, time.process_time() - used_s, next_seq)

    def answered(self, connection: KeepAlive, status: int, *, right: bool) -> None:
        """Count an answer and let the connection ask again."""
        now_s = time.perf_counter()
        self._answers.add(status, connection.due_s, now_s, right=right)
        if status == 0:
            return
        self._requests.release(connection)
        if not self.plan.rate_per_s and not self._finished:
            self._requests.add(now_s)

    async def _connect(self) -> list[KeepAlive]:
        loop = asyncio.get_running_loop()
        for target in self.plan.targets:
            _, connection = await loop.create_connection(
                lambda target=target: KeepAlive(self, target), "127.0.0.1", self.plan.port
            )
            self.connections.add(connection)
        return list(self.connections)

    async def _open_loop(self, began_s: float) -> None:
        """Poisson arrivals; what finds no free connection waits for one, and its time runs."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._arrive, loop, began_s)

    def _arrive(self, loop: asyncio.AbstractEventLoop, began_s: float) -> None:
        """Say when requests fall due, from a thread: the loop's timers count whole milliseconds."""
        noise = random.Random(self.plan.seed)
        due_s = began_s
        while due_s < began_s + self.plan.seconds:
            time.sleep(max(0.0, due_s - time.perf_counter()))
            loop.call_soon_threadsafe(self._requests.add, due_s)
            due_s += noise.expovariate(self.plan.rate_per_s)

    async def _drain(self) -> None:
        until_s = time.perf_counter() + ANSWERED_WITHIN_S
        while (
            any(connection.busy for connection in self.connections)
            and time.perf_counter() < until_s
        ):
            await asyncio.sleep(0.002)


def main() -> None:
    """Read a plan, carry it out, say what came of it."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadPlan)
    result = uvloop.run(LoadRun(plan).run())
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
