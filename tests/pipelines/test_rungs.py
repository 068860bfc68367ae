"""Rungs as a task sends them and the driver holds them."""

import json
from uuid import uuid4

from pipelines.exercise.evaluation import Rungs
from tests.pipelines.global_sums import made_rungs


def test_names_of_exercises_are_held_once_for_all_candidates():
    """The driver holds the rungs of every candidate: hundreds of sets each, of few exercises."""
    exercises = {str(uuid4()): name for name in ("bench-press", "pull-up") for _ in range(3)}
    sent = made_rungs(own=dict.fromkeys(exercises, True))._replace(exercises=exercises)
    received = [Rungs.from_json(json.loads(json.dumps(sent.as_json()))) for _ in range(2)]
    assert received == [sent, sent]
    assert len({id(name) for rungs in received for name in rungs.exercises.values()}) == 2
