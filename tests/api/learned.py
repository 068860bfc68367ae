"""A real model of a real person, made as training makes it, for tests of predictions."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from ingest.importers.imported import ImportedRecording
from models.exercise.codec import to_bytes
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_global, fit_user
from models.exercise.model import ExerciseModel
from models.signal.wrist import wrist_signals
from schemas.inputs import ACC3
from store.models import ModelKey, StoredModel
from store.pointers import Challenger

if TYPE_CHECKING:
    from tests.api.conftest import RunningService


def person_recordings(spar: list[ImportedRecording], person: str) -> list[ImportedRecording]:
    return [one for one in spar if one.person == person]


def learn(recordings: list[ImportedRecording], level: str = "user") -> ExerciseModel:
    """A model of some recordings, each of one exercise."""
    statistics = reduce(
        add,
        (
            set_statistics(wrist_signals(one.recording), one.sets[0].exercise, seed=number)
            for number, one in enumerate(recordings)
        ),
    )
    return fit_user(statistics) if level == "user" else fit_global(statistics).model


def learn_alone(recordings: list[ImportedRecording]) -> ExerciseModel:
    """A model of the same recordings without the gyroscope."""
    alone = [
        [replace(signal, gyro_rad_s=None) for signal in wrist_signals(recording.recording)]
        for recording in recordings
    ]
    parts = (
        set_statistics(signals, one.sets[0].exercise, seed=number)
        for number, (signals, one) in enumerate(zip(alone, recordings, strict=True))
    )
    return fit_user(reduce(add, parts), model_id=ACC3)


def stored(model: ExerciseModel, owner: str, run_id: uuid.UUID | None = None) -> StoredModel:
    key, manifest = ModelKey(owner, model.model_id, "exercise"), {"labels": list(model.labels)}
    now = datetime.now(UTC)
    return StoredModel.of(key, to_bytes(model), manifest, run_id or uuid.uuid4(), now)


def promote(service: "RunningService", kept: StoredModel) -> None:
    """Store a model and make it its owner's champion."""
    models = service.services.models

    async def work() -> None:
        await models.models.put(kept)
        incumbent = await models.champions.read(kept.key)
        challenger = Challenger.of(kept)
        await models.champions.promote(challenger, incumbent, datetime.now(UTC))

    service.run(work())
    forget_pointers(service, kept.owner)


def forget_pointers(service: "RunningService", owner: str) -> None:
    """Make the service look up an owner's champions again: pointers are cached for a while."""
    service.services.models._pointers.forget_where(lambda key, _: key.owner == owner)
