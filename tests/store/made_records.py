"""Rows and events of one made-up user, as `ingest` would write them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.ids import slot, uuid7
from schemas.times import us_of
from store.journal import Event
from store.labelled_sets import LabelledSet
from store.predictions import Prediction
from store.samples import SampleRow
from store.sets import SetRow

NOW = datetime(2026, 11, 21, 10, 0, 0, 123_000, tzinfo=UTC)
NOW_US = us_of(NOW)
STREAM = {"kind": "acc", "unit": "g", "device": "d", "placement": "wrist", "side": None}


def new_id() -> UUID:
    return uuid7(int(NOW.timestamp() * 1000), uuid4().bytes[6:])


def sample(seq: int, content: int = 0) -> SampleRow:
    sha256 = bytes([content]) * 32
    return SampleRow(seq, sha256, 5, 50.0, 7, "g", 0.5, 1, b"xyz", b"", bytes([content]), NOW_US)


def event(entity_id: UUID, content: int = 0, **changes: Any) -> Event:
    made = Event(slot(entity_id, "q"), entity_id, "k", {"n": content, "t": None}, NOW_US, {"m": 1})
    return replace(made, **changes)


def set_row(**changes: Any) -> SetRow:
    end = NOW + timedelta(seconds=30)
    row = SetRow(new_id(), new_id(), "curl", NOW, end, 10, None, 0.5, "typed", NOW_US)
    return row._replace(**changes)


def labelled(row: SetRow, model_id: str = "wrist-acc6", samples: bytes = b"s") -> LabelledSet:
    times = row.exercise, row.started_at, row.ended_at, row.reps, row.weight_kg, row.intensity
    return LabelledSet(
        model_id, row.set_id, row.session_id, *times, row.label_source, row.revision, samples
    )


def prediction(user: UUID, session: UUID, at: datetime, **changes: Any) -> Prediction:
    """A prediction of 30 s by the user's own model, predicted at its start."""
    found = Prediction(
        *(user, session, uuid4(), at, at + timedelta(seconds=30), "row", 0.9),
        abstained=False,
        reason=None,
        reps=8,
        family="exercise",
        level="user",
        version="v",
        predicted_at=at,
    )
    return found._replace(**changes)
