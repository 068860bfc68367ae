"""The ground truth of simulated users: stored beside the reports, and compared with clusters."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID

import numpy as np

from models.clusters.evaluate import adjusted_rand, frequency_groups
from muvr.simulating_crowd import SimulatedWorld
from schemas.errors import BadInput
from store.concurrency import map_concurrently
from store.database import Database
from store.live_runs import LiveRuns
from store.results import Cluster, Results
from store.synced import replace_synced

DRAWN = 3  # changes with a release that draws other histories from the same seed


def truth_path(folder: Path, seed: int) -> Path:
    """The file that keeps the truth of a world."""
    return folder / f"simulated-{seed}.json"


def keep_truth(folder: Path, world: SimulatedWorld) -> Path:
    """Write what no client sends: each user's temperament, circle, strength, progress, taste.

    The people of earlier runs with the same seed and first day stay; `weeks` is the longest history
    that was asked for.
    """
    known = known_world(folder, world.seed)
    if known is not None and known.start_s == world.start_s:
        world = replace(
            world, users=max(world.users, known.users), weeks=max(world.weeks, known.weeks)
        )
    people = [
        {"user": str(person.user_id), **asdict(person.profile), **asdict(person.truth)}
        for person in world.people()
    ]
    kept = {"simulated": True, "drawn": DRAWN, **asdict(world), "people": people}
    folder.mkdir(parents=True, exist_ok=True)
    path = truth_path(folder, world.seed)
    replace_synced(path, json.dumps(kept).encode(), mode=0o666)
    return path


def known_world(folder: Path, seed: int) -> SimulatedWorld | None:
    """The world of all runs with a seed: all its people, its longest history, its first day.

    Raises:
        BadInput: a release that drew other histories from the same seed has sent it.
    """
    path = truth_path(folder, seed)
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    if kept.get("drawn") != DRAWN:
        raise BadInput(
            f"the people of seed {seed} are of another release, which drew other histories; "
            "take another --seed",
            field="seed",
            value=seed,
        )
    return SimulatedWorld(kept["users"], kept["weeks"], kept["seed"], float(kept["start_s"]))


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
    return {
        "people": len(clustered),
        "clusters": adjusted_rand([cluster.cluster for _, cluster in clustered], names),
        "frequency_alone": adjusted_rand(frequency_groups(frequency, groups), names),
    }
