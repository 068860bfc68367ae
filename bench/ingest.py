"""HTTP → fsynced in Cassandra: acknowledged samples a second, beside a row per sample.

Generator, service and node share the machine's cores. Every receipt that is counted names the
SHA-256 of the chunk that was sent, and was given after the commit log's fsync.
"""

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import LoadPlan, LoadResult, RequestTarget, drive, write_bodies
from bench.recorded import DATA, bodies_of, chunk_targets, cut_pieces, spar_counts
from bench.rowwise import RowwiseRates, bound_batches, packed_batches, rows_per_s
from bench.stored import stored_bytes
from ingest.chunks import CBOR
from muvr.context import CommandContext
from muvr.deployment import Deployment, deployed
from schemas.report import Figure

SIZES = (512, 1024, 4096)
FLOORS = {512: 1.5e6, 1024: 3e6, 4096: 10e6}
PEER_FLOOR = 30.0
BYTES_FLOOR = 3.0
CONNECTIONS = 256  # fewer wait for the node's syncs, one after the other, while cores are idle
PEOPLE = 32
WARM_UP_S = 90.0  # until then the node is still compiling a fifth of its time
MEASURED_S = 10.0
PEER = "a row per sample, unlogged batches of 128 of one partition, 32 under way, same node"


@dataclass
class Bench:
    """A deployment under load."""

    deployment: Deployment
    bodies: dict[int, str]
    targets: list[RequestTarget] = field(default_factory=list)
    next_seq: int = 0

    def open_sessions(self) -> None:
        """A session for each connection."""
        here = self.deployment
        tokens = [here.register(f"load-{time.monotonic_ns()}-{i}") for i in range(PEOPLE)]
        self.targets, self.next_seq = chunk_targets(here.service.url, tokens, CONNECTIONS), 0

    def drive(self, n: int, seconds: float, rate_per_s: float = 0.0) -> "LoadMeasurement":
        """Send chunks of n samples."""
        here = self.deployment
        job = LoadPlan(
            port=here.config.api.port,
            targets=self.targets,
            bodies=self.bodies[n],
            media_type=CBOR,
            seconds=seconds,
            rate_per_s=rate_per_s,
            first_seq=self.next_seq,
        )
        service_s, node_s = here.service_cpu_s(), here.node_cpu_s()
        result = drive(job)
        self.next_seq = result.next_seq
        return LoadMeasurement(
            n, result, here.service_cpu_s() - service_s, here.node_cpu_s() - node_s
        )


@dataclass(frozen=True)
class LoadMeasurement:
    """A run of the generator, with the CPU time of service and node."""

    n: int
    result: LoadResult
    service_cpu_s: float
    node_cpu_s: float

    @property
    def samples_per_s(self) -> float:
        """Acknowledged samples a second."""
        return self.result.per_s * self.n

    def us(self, cpu_s: float) -> float:
        """CPU a request, microseconds."""
        return cpu_s / max(self.result.right, 1) * 1e6


def run(
    context: CommandContext, *, warm_up_s: float = WARM_UP_S, measured_s: float = MEASURED_S
) -> list[Figure]:
    """Measure with one worker, then with two; the peer in between, on the same warm node."""
    counts = spar_counts(context)
    scratch = Path(tempfile.mkdtemp(prefix="muvr-bodies-"))
    try:
        bodies = {
            n: write_bodies(scratch / f"{n}", bodies_of(cut_pieces(counts, n))) for n in SIZES
        }
        with deployed(context) as deployment, context.terminal:
            bench = Bench(deployment, bodies)
            bench.open_sessions()
            context.terminal.step("warm up", 0, 1)
            bench.drive(512, warm_up_s)
            figures = _one_worker(bench, context, measured_s)
            figures += _two_workers(bench, context, measured_s)
            context.terminal.step("bytes on disk", 0, 1)
            figures += stored_bytes(deployment, counts, BYTES_FLOOR)
            return figures
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _one_worker(bench: Bench, context: CommandContext, measured_s: float) -> list[Figure]:
    figures: list[Figure] = []
    for n in SIZES:
        context.terminal.step(f"chunks of {n}", SIZES.index(n), len(SIZES))
        full = bench.drive(n, measured_s)
        half = bench.drive(n, measured_s, full.result.per_s / 2)
        figures += _figures(full, half)
        if n == 1024:
            figures += _beside_rows(full, bench.deployment, context, measured_s)
    return figures


def _beside_rows(
    full: LoadMeasurement, deployment: Deployment, context: CommandContext, measured_s: float
) -> list[Figure]:
    """What chunks are worth, beside the peer at its best and beside the peer as it is written."""
    figures: list[Figure] = []
    ways = (("", packed_batches, PEER_FLOOR), ("_bound_by_driver", bound_batches, None))
    for done, (name, made, floor) in enumerate(ways):
        context.terminal.step("a row per sample", done, len(ways))
        peer = rows_per_s(deployment, made, measured_s)
        figures.append(_times_rows(f"times_row_per_sample_{full.n}{name}", full, peer, floor))
    return figures


def _times_rows(
    name: str, full: LoadMeasurement, peer: RowwiseRates, floor: float | None
) -> Figure:
    values = "bound by the driver, row by row" if floor is None else "packed beforehand"
    return Figure(
        name,
        full.samples_per_s / peer.per_s,
        floor=floor,
        peer=PEER,
        peer_value=peer.per_s,
        protocol="acknowledged samples/s of Muvr over HTTP by those of the peer, its values "
        f"{values} and its path warmed up; its client used {peer.client_share:.2f} of a core",
    )


def _two_workers(bench: Bench, context: CommandContext, measured_s: float) -> list[Figure]:
    bench.deployment = bench.deployment.restart_service(context.terminal, workers=2)
    bench.open_sessions()
    bench.drive(512, measured_s)
    return [
        _rate(bench.drive(n, measured_s), f"acknowledged_per_s_{n}_two_workers", None)
        for n in SIZES
    ]


def _rate(driven: LoadMeasurement, name: str, floor: float | None) -> Figure:
    protocol = (
        f"closed loop, {CONNECTIONS} connections of {PEOPLE} people, SPAR acceleration at 1/4096 g "
        f"in chunks of {driven.n}, each receipt checked; refused or wrong: {driven.result.wrong}"
    )
    return Figure(
        name, driven.samples_per_s, "samples/s", floor=floor, data=DATA, protocol=protocol
    )


def _figures(full: LoadMeasurement, half: LoadMeasurement) -> list[Figure]:
    n = full.n
    figures = [_rate(full, f"acknowledged_per_s_{n}", FLOORS[n])]
    suffix = "" if n == 1024 else f"_{n}"
    figures.append(
        Figure(
            f"request_cpu_us{suffix}",
            full.us(full.service_cpu_s),
            "µs",
            protocol=f"service process, full load, chunks of {n}; the node took "
            f"{full.us(full.node_cpu_s):.0f} µs, the generator {full.us(full.result.cpu_s):.0f} µs",
        )
    )
    for name, driven in (("", full), ("_half_load", half)):
        took = driven.result.latency_us
        load = "full load" if driven is full else "half of that rate, random arrivals"
        figures += [
            Figure(f"p{q}_ms{name}{suffix}", took[q] / 1e3, "ms", protocol=f"{load}, chunks of {n}")
            for q in (50, 99)
        ]
    return figures
