"""A set that lasts longer than what live recognition otherwise looks back on."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pytest

from api import live_results
from api.dependencies import Services
from api.live_results import LiveSetTracker
from ingest.wrist_streams import WristStreams
from models.recognition.sets import RecognisedSet, RecognitionModels
from models.signal.pieces import Piece
from schemas.times import NS_PER_S

BEGAN_NS = 1_700_000_000 * NS_PER_S
RATE_HZ = 50
REST_S, SET_S = 60, 300


def test_a_set_of_five_minutes_is_finished_once_with_its_start_and_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred repetitions of 3 s, with a minute's rest before and after."""
    monkeypatch.setattr(
        LiveSetTracker, "_set_json", lambda _self, recognised, _versions: recognised
    )
    recogniser = SimpleNamespace(load_models=_no_models, run_live=_run_at_once)
    services = cast("Services", SimpleNamespace(recogniser=recogniser))
    wrist = WristStreams(("acc",), (), "left")
    tracker = LiveSetTracker(services, uuid4(), uuid4(), wrist)
    assert live_results.SETS_WINDOW_S < SET_S
    rng = np.random.default_rng(0)
    t_s = np.arange(SET_S * RATE_HZ) / RATE_HZ
    rest = np.zeros(REST_S * RATE_HZ)
    angle = np.concatenate([rest, 0.6 - 0.6 * np.cos(2 * np.pi * t_s / 3.0), rest])
    acc = np.stack([np.cos(angle), np.sin(angle), np.full(len(angle), 0.1)], axis=1)
    counts = np.rint(1000 * (acc + rng.normal(0, 0.01, acc.shape))).astype(np.int16)
    finished: list[RecognisedSet] = []
    for number in range(len(counts) // RATE_HZ):
        part = counts[number * RATE_HZ : (number + 1) * RATE_HZ]
        piece = Piece(BEGAN_NS + number * NS_PER_S, float(RATE_HZ), "g", 0.001, part)
        if tracker.buffer.add("acc", number, piece):
            finished = cast("list[RecognisedSet]", asyncio.run(tracker.evaluate())["sets"])
    [only] = finished
    assert abs((only.start_ns - BEGAN_NS) / NS_PER_S - REST_S) < 4
    assert abs((only.end_ns - BEGAN_NS) / NS_PER_S - REST_S - SET_S) < 4
    assert only.counted is not None
    assert abs(only.counted.count - 100) <= 1


async def _no_models(*_: Any) -> tuple[None, RecognitionModels]:
    return None, RecognitionModels()


async def _run_at_once(_user: Any, recognise: Any, *given: Any) -> Any:
    return recognise(*given)
