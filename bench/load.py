"""Plans of load on the service, and what comes of them; `bench.load_generator` carries them out.

Every body has a text that its answer must contain (of a chunk the sha-256 in its receipt), so that
only right answers are counted. Closed loop (`rate_per_s` 0): each connection sends its next request
when the last was answered. Open loop: requests fall due at random times, and their latency counts
from then, waiting included.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from muvr.checkout import CHECKOUT


class RequestTarget(msgspec.Struct, frozen=True):
    """What one connection asks for: `{seq}` in the path counts up from `LoadPlan.first_seq`."""

    token: str
    method: str
    path: str


class LoadPlan(msgspec.Struct, frozen=True):
    """A run of the generator.

    Attributes:
        targets: one connection each.
        bodies: file that `write_bodies` made.
        rate_per_s: 0 for closed loop.
    """

    port: int
    targets: list[RequestTarget]
    bodies: str
    media_type: str
    seconds: float
    rate_per_s: float = 0.0
    first_seq: int = 0
    seed: int = 1


class LoadResult(msgspec.Struct, frozen=True):
    """Results of a run.

    Attributes:
        right: answers with status 200 that contained the expected text.
        wrong: other answers, by status; 200 counts a missing text, 0 what got no answer: lost
            connections, and requests that nobody answered in time or that were never sent.
        latency_us: quantile (0-100) to microseconds, of right answers; empty if there is none.
        next_seq: where the next run may begin.
    """

    right: int
    wrong: dict[int, int]
    seconds: float
    latency_us: dict[int, float]
    cpu_s: float
    next_seq: int

    @property
    def per_s(self) -> float:
        """Right answers a second."""
        return self.right / self.seconds if self.right else 0.0

    def latency_ms(self, quantile: int) -> float | None:
        """A quantile of the latencies; None without a right answer."""
        latency_us = self.latency_us.get(quantile)
        return None if latency_us is None else latency_us / 1e3


def write_bodies(path: Path, bodies: Sequence[tuple[bytes, str]]) -> str:
    """Keep bodies, each with the word its answer must hold; the path as text."""
    path.write_bytes(
        msgspec.msgpack.encode([(body, expected.encode()) for body, expected in bodies])
    )
    return str(path)


def drive(plan: LoadPlan) -> LoadResult:
    """Carry out a plan in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load_generator"],
        input=msgspec.json.encode(plan),
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=LoadResult)
