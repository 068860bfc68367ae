"""Trained models and batch results for a fuzz user: one of every family.

The models are fitted by the families' own functions on made-up sets, and stored as jobs store them.
A real training before every fuzz run would take minutes and find no more errors.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models.form.codec import to_bytes as form_bytes
from models.form.model import CountedSet, fit_form
from models.history import SetLog, done_set
from models.intensity.codec import to_bytes as intensity_bytes
from models.intensity.fit import IntensitySettings, fit_intensity
from models.intensity.model import IntensityModel
from models.load.codec import to_bytes as load_bytes
from models.load.fit import LoadSettings, fit_load
from models.next.codec import to_bytes as next_bytes
from models.next.fit import NextSettings, fit_next
from models.reps.measure import Repetition
from schemas.families import BATCH_FAMILIES
from schemas.inputs import ACC6, SETS
from store.champions import Champions
from store.database import Database
from store.live_runs import LiveRuns
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger

SESSIONS = 30
ROWS = (
    (
        "INSERT INTO clusters (run_id, user_id, cluster, name, features) VALUES (?, ?, ?, ?, ?)",
        (0, "mornings", '{"sets_per_week": 9.0}'),
    ),
    (
        "INSERT INTO recommendations (run_id, user_id, position, exercise, score, why) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (1, "lunge", 0.5, "people who squat"),
    ),
    ("INSERT INTO ranks (run_id, user_id, rank, position) VALUES (?, ?, ?, ?)", (1.0, 1)),
)


async def store_learned(database: Database, user_id: UUID, exercise: str, run: UUID) -> None:
    """Store models that serve a user, and a live run of every batch family with the user in it.

    Args:
        database: of the service.
        user_id: the only one of the runs.
        exercise: what the made-up sets are of.
        run: under which all of it is kept.
    """
    now = datetime.now(UTC)
    for family, model_id, content in _learned(exercise, now):
        await serve_model(database, ModelKey.of_user(user_id, model_id, family), content, run)
    for cql, values in ROWS:
        await database.run(cql, (run, user_id, *values))
    live = LiveRuns(database)
    for family in BATCH_FAMILIES:
        before = await live.read(family)
        await live.go_live(family, run, now, {}, before.run_id if before else None)


def _learned(exercise: str, now: datetime) -> Iterator[tuple[str, str, bytes]]:
    """Family, input and bytes of every model."""
    log = SetLog.of(
        done_set(
            str(number),
            now - timedelta(days=2 * (SESSIONS - number)) + timedelta(minutes=5 * turn),
            name,
            8 + (number + turn) % 3,
            40.0 + number,
            0.5 + 0.1 * (number % 3),
        )
        for number in range(SESSIONS)
        for turn, name in enumerate((exercise, "lunge"))
    )
    yield "next", SETS, next_bytes(fit_next(log, NextSettings()))
    yield "load", SETS, load_bytes(fit_load(log, LoadSettings()))
    [intensity] = fit_intensity([log], IntensitySettings())
    if isinstance(intensity, IntensityModel):
        yield "intensity", SETS, intensity_bytes(intensity)
    done = tuple(Repetition(3.0 * k, 3.0 * k + 2.0, 1.2, 3.0 - 0.05 * k, 0.5) for k in range(8))
    began_ms = int(now.timestamp()) * 1000
    sets = (CountedSet(str(UUID(int=k)), exercise, "left", began_ms + k, done) for k in range(4))
    yield "form", ACC6, form_bytes(fit_form(sets))


async def serve_model(database: Database, key: ModelKey, content: bytes, run: UUID) -> None:
    """Store a model of a run, and let it serve from now on; nothing may have served before."""
    kept = StoredModel.of(key, content, {}, run, datetime.now(UTC))
    await Models(database).put(kept)
    await Champions(database).promote(Challenger.of(kept), None, kept.created_at)
