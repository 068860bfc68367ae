"""The ground truth of simulated users: stored beside the reports, and compared with clusters."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import numpy as np

from models.clusters.evaluate import adjusted_rand
from muvr.simulating_crowd import SimulatedWorld
from store.concurrency import map_concurrently
from store.database import Database
from store.live_runs import LiveRuns
from store.results import Cluster, Results


def truth_path(folder: Path, seed: int) -> Path:
    """The file that keeps the truth of a world."""
    return folder / f"simulated-{seed}.json"


def keep_truth(
    folder: Path, world: SimulatedWorld, counts: Mapping[str, int], seconds: float
) -> Path:
    """Write what no client sends: each user's temperament, circle, strength, progress, taste."""
    people = [
        {"user": str(person.user_id), **asdict(person.profile), **asdict(person.truth)}
        for person in world.people()
    ]
    kept = {
        "simulated": True,
        **asdict(world),
        "sent": dict(counts),
        "seconds": round(seconds, 1),
        "people": people,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = truth_path(folder, world.seed)
    path.write_text(json.dumps(kept))
    return path


def known_start(folder: Path, seed: int) -> float | None:
    """The start of a world that was simulated before, seconds since the epoch."""
    path = truth_path(folder, seed)
    return float(json.loads(path.read_text())["start_s"]) if path.exists() else None


def temperaments(folder: Path) -> dict[UUID, str]:
    """The temperament of every simulated user whose ground truth is stored."""
    worlds = [json.loads(path.read_text()) for path in sorted(folder.glob("simulated-*.json"))]
    return {
        UUID(person["user"]): str(person["temperament"])
        for world in worlds
        for person in world["people"]
    }


async def clusters_against_truth(
    database: Database, truth: Mapping[UUID, str]
) -> dict[str, float] | None:
    """How well the live clusters recover the temperaments of simulated users.

    Returns:
        adjusted Rand indices of the clusters and of a baseline, which cuts users into as many equal
        groups by frequency alone; None without live clusters or simulated users.
    """
    live = await LiveRuns(database).read("clusters")
    if live is None or not truth:
        return None

    async def both(user_id: UUID) -> tuple[str, Cluster | None]:
        """A user's true temperament, and the user's cluster."""
        return truth[user_id], await Results(database).cluster(live.run_id, user_id)

    pairs = await map_concurrently(both, truth, limit=64)
    clustered = [(name, cluster) for name, cluster in pairs if cluster is not None]
    if not clustered:
        return None
    names = [name for name, _ in clustered]
    frequency = np.array([cluster.features["frequency"] for _, cluster in clustered])
    groups = len({cluster.cluster for _, cluster in clustered})
    cut = np.argsort(np.argsort(frequency, kind="stable")) * groups // len(clustered)
    return {
        "people": len(clustered),
        "clusters": adjusted_rand([cluster.cluster for _, cluster in clustered], names),
        "frequency_alone": adjusted_rand(cut, names),
    }
