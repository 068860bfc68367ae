"""Classify over HTTP beside a bare FastAPI ping: CPU a request, time at load, memory at rest."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import reduce
from operator import add
from pathlib import Path
from uuid import uuid4

import cbor2
from msgspec.structs import replace

from bench.bare_ping import PEER, bare_ping
from bench.clients import register_people
from bench.fuzz_models import serve_model
from bench.load import LoadPlan, LoadResult, RequestTarget, drive, write_bodies
from bench.memory import MIB
from ingest.chunks import canonical_body
from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import read_spar
from ingest.media_types import CBOR
from models.exercise.codec import to_bytes
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_global
from models.signal.pieces import Piece, Recording
from models.signal.windows import WINDOW
from models.signal.wrist import wrist_signals
from muvr.context import CommandContext
from muvr.deployment import Deployment, cpu_s, deployed
from schemas.families import EXERCISE
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.report import Figure
from store.models import ModelKey

CPU_TIMES_PING = 2.0
P99_MS = 15.0
IDLE_MB = 150.0
LOAD_SHARE = 0.7
CONNECTIONS = 16
MEASURED_S = 10.0
PEOPLE = ("01", "02", "03")
DATA = "SPAR-10, windows of 4 s of three people, acceleration and rotation"


def run(context: CommandContext, *, seconds: float = MEASURED_S) -> list[Figure]:
    """Ping and classify in turns of one run, with the same generator."""
    recordings = [
        recording
        for recording in read_spar(context.config.paths.datasets)
        if recording.person in PEOPLE
    ]
    with (
        deployed(context) as deployment,
        tempfile.TemporaryDirectory() as scratch,
        context.terminal,
    ):
        idle_mb = _resident_mb(deployment)
        for layout in (ACC6, ACC3):
            context.terminal.step(f"a global model for {layout}", 0, 1)
            with closing(deployment.database()) as database:
                key = ModelKey.of_global(layout, EXERCISE)
                asyncio.run(serve_model(database, key, _learn(recordings, layout), uuid4()))
        bodies = {
            layout: write_bodies(Path(scratch) / layout, _bodies(recordings, layout))
            for layout in (ACC6, ACC3)
        }
        nothing = write_bodies(Path(scratch) / "nothing", [(b"", '"ok":true')])
        with bare_ping() as (ping, port):
            context.terminal.step("ping", 0, 1)
            plan = LoadPlan(
                port, [RequestTarget("", "GET", "/ping")] * CONNECTIONS, nothing, CBOR, seconds
            )
            ping_us = _cpu_us(plan, lambda: cpu_s(ping))[1]
        return _measure(context, deployment, bodies, seconds, ping_us, idle_mb)


def _measure(
    context: CommandContext,
    deployment: Deployment,
    bodies: dict[str, str],
    seconds: float,
    ping_us: float | None,
    idle_mb: float,
) -> list[Figure]:
    [token] = register_people(deployment, "asks")
    target = RequestTarget(token, "POST", "/v1/classify?side=left&reps=false")
    figures: list[Figure] = []
    for layout, suffix in ((ACC6, ""), (ACC3, "_acc_only")):
        context.terminal.step(f"classify {layout}", 0, 1)
        port, lines = deployment.config.api.port, [target] * CONNECTIONS
        drive(LoadPlan(port, lines, bodies[layout], CBOR, seconds / 2))
        plan = LoadPlan(port, lines, bodies[layout], CBOR, seconds)
        full, classify_us = _cpu_us(plan, deployment.service_cpu_s)
        # A share of no answers is no load: a rate of 0 would be a closed loop.
        rate_per_s = full.per_s * LOAD_SHARE
        loaded = drive(replace(plan, rate_per_s=rate_per_s)) if full.right else full
        figures += cost_figures(full, classify_us=classify_us, ping_us=ping_us, suffix=suffix)
        figures += load_figures(loaded, suffix=suffix)
    protocol = "resident, all processes of the service, after its start and before any question"
    figures.append(Figure("idle_mb", idle_mb, "MB", floor=IDLE_MB, ceiling=True, protocol=protocol))
    busy = _resident_mb(deployment)
    figures.append(Figure("busy_mb", busy, "MB", protocol="the same after all questions"))
    return figures


def cost_figures(
    full: LoadResult, *, classify_us: float | None, ping_us: float | None, suffix: str
) -> list[Figure]:
    """What an answer costs in one input layout, and how many there are a second.

    Args:
        full: a closed loop.
        classify_us: CPU a request, microseconds; None where no answer was right.
        ping_us: the same of the bare application.
        suffix: of the names of the layout without rotation; "" for both sensors.
    """
    protocol = f"binary CBOR, one window, reps=false, {CONNECTIONS} connections, closed loop"
    return [
        Figure(
            f"classify_cpu_us{suffix}",
            classify_us,
            "µs",
            peer=PEER,
            peer_value=ping_us,
            data=DATA,
            protocol=f"{protocol}; wrong answers: {full.wrong}",
        ),
        Figure(
            f"classify_times_ping{suffix}",
            classify_us / ping_us if classify_us and ping_us else None,
            floor=None if suffix else CPU_TIMES_PING,
            ceiling=True,
            protocol="CPU of the service process a request, by that of the ping's",
        ),
        Figure(f"classify_per_s{suffix}", full.per_s, "requests/s", protocol=protocol),
    ]


def load_figures(loaded: LoadResult, *, suffix: str) -> list[Figure]:
    """How long answers take in one input layout, and how many are wrong.

    Args:
        loaded: a part of the rate of a closed loop, random arrivals.
        suffix: as of `cost_figures`.
    """
    load = f"{LOAD_SHARE:.0%} of classify_per_s, random arrivals"
    median_ms = loaded.latency_ms(50)
    return [
        Figure(
            f"p99_ms{suffix}",
            loaded.latency_ms(99),
            "ms",
            floor=None if suffix else P99_MS,
            ceiling=True,
            protocol=f"{load}, waiting included"
            + ("" if median_ms is None else f"; median {median_ms:.1f} ms"),
        ),
        Figure(
            f"loaded_wrong{suffix}",
            sum(loaded.wrong.values()),
            floor=0,
            ceiling=True,
            protocol=f"{load}: requests without the right answer, by status: {loaded.wrong}",
        ),
    ]


def _cpu_us(plan: LoadPlan, used_s: Callable[[], float]) -> tuple[LoadResult, float | None]:
    """The result of a plan and what an answer cost the process that gave it, microseconds.

    None without a right answer.
    """
    before_s = used_s()
    result = drive(plan)
    return result, (used_s() - before_s) / result.right * 1e6 if result.right else None


def _resident_mb(deployment: Deployment) -> float:
    return sum(process.memory_info().rss for process in deployment.service_processes()) / MIB


def _only(recording: Recording, layout: InputLayout) -> Recording:
    gyro = recording.gyro if layout == ACC6 else ()
    return Recording(recording.acc, gyro, recording.side)


def _learn(recordings: list[ImportedRecording], layout: InputLayout) -> bytes:
    """A global model's bytes."""
    statistics = (
        set_statistics(
            wrist_signals(_only(recording.recording, layout)),
            recording.sets[0].exercise,
            seed=number,
        )
        for number, recording in enumerate(recordings)
    )
    return to_bytes(fit_global(reduce(add, statistics), model_id=layout).model)


def _bodies(recordings: list[ImportedRecording], layout: InputLayout) -> list[tuple[bytes, str]]:
    """One window of each left wrist, as the question says; its answer names the model."""
    requests: list[tuple[bytes, str]] = []
    for recording in (recording for recording in recordings if recording.recording.side == "left"):
        whole = _only(recording.recording, layout)
        acc, gyro = ([_window(p) for p in pieces] for pieces in (whole.acc, whole.gyro))
        streams = {"acc": acc[0], **({"gyro": gyro[0]} if gyro else {})}
        body = acc[0] if layout == ACC3 else cbor2.dumps({"streams": streams})
        requests.append((body, '"level":"global"'))
    return requests


def _window(piece: Piece) -> bytes:
    counts = piece.counts[WINDOW : 2 * WINDOW]
    return canonical_body(Piece(piece.t0_ns, piece.rate_hz, piece.unit, piece.scale, counts))
