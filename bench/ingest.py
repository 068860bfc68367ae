"""HTTP → fsynced in Cassandra: acknowledged samples a second, beside a row per sample.

Generator, service and node share the machine's cores. Every receipt that is counted names the
SHA-256 of the chunk that was sent, and was given after the commit log's fsync.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.clients import chunk_targets, register_people
from bench.load import LoadPlan, LoadResult, RequestTarget, drive, write_bodies
from bench.rowwise import RowwiseRates, bound_batches, packed_batches, rows_per_s
from bench.spar_bodies import DATA, bodies_of, cut_pieces, spar_counts
from bench.stored_bytes import stored_bytes
from ingest.media_types import CBOR
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
MAX_WARM_UP_S = 240.0
WARM_UP_SLICE_S = 15.0
STEADY = 0.97  # of the node's CPU a chunk: less than that is still getting warm
MEASURED_S = 10.0
PEER = "a row per sample, unlogged batches of 128 of one partition, 32 under way, same node"


@dataclass
class LoadedDeployment:
    """A deployment under load."""

    deployment: Deployment
    bodies: dict[int, str]
    targets: list[RequestTarget] = field(default_factory=list)
    next_seq: int = 0

    def open_sessions(self) -> None:
        """A session for each connection."""
        here = self.deployment
        tokens = register_people(here, "load", PEOPLE)
        self.targets, self.next_seq = chunk_targets(here.service.url, tokens, CONNECTIONS), 0

    def drive(self, n: int, seconds: float, rate_per_s: float = 0.0) -> "LoadMeasurement":
        """Send chunks of n samples."""
        here = self.deployment
        plan = LoadPlan(
            port=here.config.api.port,
            targets=self.targets,
            bodies=self.bodies[n],
            media_type=CBOR,
            seconds=seconds,
            rate_per_s=rate_per_s,
            first_seq=self.next_seq,
        )
        service_s, node_s = here.service_cpu_s(), here.node_cpu_s()
        result = drive(plan)
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

    def us_per_request(self, cpu_s: float) -> float | None:
        """CPU a request, microseconds; None without a right answer."""
        return cpu_s / self.result.right * 1e6 if self.result.right else None


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
            loaded = LoadedDeployment(deployment, bodies)
            loaded.open_sessions()
            context.terminal.step("warm up", 0, 1)
            _warm_up(loaded, warm_up_s)
            figures = _one_worker(loaded, context, measured_s)
            figures += _two_workers(loaded, context, measured_s)
            context.terminal.step("bytes on disk", 0, 1)
            figures += stored_bytes(deployment, counts, BYTES_FLOOR)
            return figures
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _warm_up(loaded: LoadedDeployment, at_least_s: float) -> None:
    """Load the node until its chunks get no cheaper: then its JIT compiler is at rest."""
    driven = loaded.drive(512, at_least_s)
    node_us, warmed_s = driven.us_per_request(driven.node_cpu_s), at_least_s
    while node_us is not None and warmed_s < MAX_WARM_UP_S:
        driven = loaded.drive(512, WARM_UP_SLICE_S)
        former_us, node_us = node_us, driven.us_per_request(driven.node_cpu_s)
        warmed_s += WARM_UP_SLICE_S
        if node_us is None or node_us > STEADY * former_us:
            return


def _one_worker(
    loaded: LoadedDeployment, context: CommandContext, measured_s: float
) -> list[Figure]:
    figures: list[Figure] = []
    for n in SIZES:
        context.terminal.step(f"chunks of {n}", SIZES.index(n), len(SIZES))
        full = loaded.drive(n, measured_s)
        # Half of no answers is no load: a rate of 0 would be a closed loop.
        rate_per_s = full.result.per_s / 2
        half = loaded.drive(n, measured_s, rate_per_s) if full.result.right else full
        figures += _figures(full, half)
        if n == 1024:
            figures += _beside_rows(full, loaded.deployment, context, measured_s)
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
        figures.append(times_rows(f"times_row_per_sample_{full.n}{name}", full, peer, floor))
    return figures


def times_rows(name: str, full: LoadMeasurement, peer: RowwiseRates, floor: float | None) -> Figure:
    """Samples a second of chunks, by rows a second of the peer."""
    values = "bound by the driver, row by row" if floor is None else "packed beforehand"
    return Figure(
        name,
        full.samples_per_s / peer.per_s,
        floor=floor,
        protocol=f"acknowledged samples/s of Muvr over HTTP by those of the peer ({PEER}), its "
        f"values {values} and its path warmed up: {peer.per_s:,.0f} rows/s, with "
        f"{peer.client_share:.2f} of a core used by its client",
    )


def _two_workers(
    loaded: LoadedDeployment, context: CommandContext, measured_s: float
) -> list[Figure]:
    loaded.deployment = loaded.deployment.restart_service(context.terminal, workers=2)
    loaded.open_sessions()
    loaded.drive(512, measured_s)
    return [
        _rate(loaded.drive(n, measured_s), f"acknowledged_per_s_{n}_two_workers", None)
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
    suffix = "" if n == 1024 else f"_{n}"
    beside = {
        "node": full.us_per_request(full.node_cpu_s),
        "generator": full.us_per_request(full.result.cpu_s),
    }
    took = ", ".join(f"the {who} took {us:.0f} µs" for who, us in beside.items() if us is not None)
    figures = [
        _rate(full, f"acknowledged_per_s_{n}", FLOORS[n]),
        Figure(
            f"request_cpu_us{suffix}",
            full.us_per_request(full.service_cpu_s),
            "µs",
            protocol=f"service process, full load, chunks of {n}; {took or 'no right answer'}",
        ),
    ]
    loads = (("", "full load", full), ("_half_load", "half of that rate, random arrivals", half))
    for name, load, driven in loads:
        figures += [
            Figure(
                f"p{q}_ms{name}{suffix}",
                driven.result.latency_ms(q),
                "ms",
                protocol=f"{load}, chunks of {n}; refused or wrong: {driven.result.wrong}",
            )
            for q in (50, 99)
        ]
    return figures
