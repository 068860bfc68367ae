"""Workouts whose sets are known: curls of two seconds, and walking in between.

Walking is as rhythmic as curls: untrained rhythm takes it for exercise.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pyarrow as pa

from models.activity.logit import BorderModel
from models.signal.pieces import Piece, Recording, pack_pieces
from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from schemas.topics import STRETCHES
from store.changes import Changes
from store.database import Database
from store.stretches import StoredStretch, Stretches, StretchMetadata

RATE_HZ = 50.0
PARTS = ((25, None), (30, "curl"), (25, None), (30, "row"), (25, None))
NOW = datetime(2026, 11, 1, 10, tzinfo=UTC)
LAYOUT = "wrist-acc6"
S_NS = 10**9
NO_BORDERS = (None, None)


def walker(person: int) -> UUID:
    return UUID(int=(person + 1) << 96 | 7 << 76 | 2 << 62)


def workout(seed: int, at: datetime = NOW) -> tuple[Recording, list[tuple[int, int, str]]]:
    """A recording of two sets, and where they are."""
    rng = np.random.default_rng(seed)
    acc, gyro, spans = [], [], []
    t0_ns = us_of(at) * 1000
    begun_s = 0
    for seconds, exercise in PARTS:
        t = np.arange(seconds * RATE_HZ) / RATE_HZ
        period_s = rng.uniform(1.8, 2.4) if exercise else rng.uniform(0.95, 1.1)
        reach = (1.2 if exercise == "curl" else 0.8) if exercise else 0.35
        phase = 2 * np.pi * t / period_s
        angle = reach * (1 - np.cos(phase)) / 2
        turn = reach * np.sin(phase) * np.pi / period_s
        down = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(t)], axis=1)
        spin = np.stack([0 * t, 0 * t, turn], axis=1)
        if not exercise:
            down[:, 1] += 0.15 * np.sin(2 * phase)
        acc.append(down + rng.normal(0, 0.02, down.shape))
        gyro.append(spin + rng.normal(0, 0.05, spin.shape))
        if exercise:
            end = t0_ns + (begun_s + seconds) * S_NS
            spans.append((t0_ns + begun_s * S_NS, end, exercise))
        begun_s += seconds
    pieces = [
        Piece(t0_ns, RATE_HZ, unit, 1e-3, np.rint(np.concatenate(x) * 1e3).astype(np.int16))
        for unit, x in (("g", acc), ("rad/s", gyro))
    ]
    return Recording((pieces[0],), (pieces[1],), "left"), spans


def stretch_of(
    seed: int, at: datetime = NOW, samples: bytes | None = None, *, known_at: datetime | None = None
) -> StoredStretch:
    """A workout as a row of `labelled_stretches`; its device's clock is right unless `known_at`."""
    recording, spans = workout(seed, at)
    end = at + timedelta(seconds=sum(seconds for seconds, _ in PARTS))
    metadata = StretchMetadata(
        LAYOUT, UUID(int=seed + 1), at, end, tuple(spans), us_of(known_at or at)
    )
    return StoredStretch(
        metadata, samples or pack_pieces(recording.acc, recording.gyro, recording.side)
    )


def evening(day: int) -> list[StoredStretch]:
    """A session's stretches before and after midnight (UTC), as of an evening in America."""
    midnight, session = datetime(2026, 11, 2 + day, tzinfo=UTC), UUID(int=100 + day)
    times = (midnight - timedelta(minutes=10), midnight + timedelta(minutes=10))
    stretches = [stretch_of(2 * day + n, at) for n, at in enumerate(times)]
    return [one._replace(metadata=one.metadata._replace(session_id=session)) for one in stretches]


def partition(person: int, *stretches: StoredStretch) -> pa.Table:
    """Workouts as a partition of `labelled_stretches`, as Spark hands it over."""
    rows = [
        {
            "user_id": str(walker(person)),
            "model_id": LAYOUT,
            "session_id": str(stretch.metadata.session_id),
            "started_at": stretch.metadata.started_at,
            "spans": json.dumps(stretch.metadata.spans),
            "revision": stretch.metadata.revision,
            "samples": stretch.samples,
        }
        for stretch in stretches
    ]
    return pa.Table.from_pylist(rows)


def far_off(size: int) -> BorderModel:
    """A border model that places every border as early as it may."""
    weights = np.zeros(size)
    weights[-6 + 2] = -99  # seconds after the guess: before the scores around it
    return BorderModel(np.zeros(size), np.ones(size), weights)


def keep(
    database: Database, user: UUID, stretches: Sequence[StoredStretch], at: datetime = NOW
) -> None:
    """Write stretches and announce them, as the sweeper does."""

    async def work() -> None:
        await Changes(database).announce(user, STRETCHES, us_of(at))
        for stretch in stretches:
            await Stretches(database).replace(
                user,
                stretch.metadata.session_id,
                [stretch],
                stretch.metadata.revision,
                LABELLED_TTL_S,
            )

    asyncio.run(work())
