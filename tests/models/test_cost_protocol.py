"""Protocol S8: what is measured, by a clock that only compiled scoring moves."""

import pytest

from models.exercise.protocols.cost import cost
from models.exercise.protocols.trials import Movement
from models.exercise.scores import Scorer
from tests.models.movements import movement


def test_model_part_of_an_answer_scores_a_set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0

    def counted(method):
        def call(*given):
            nonlocal now_s
            now_s += 1.0
            return method(*given)

        return call

    for name in ("scores", "score_set"):
        monkeypatch.setattr(Scorer, name, counted(getattr(Scorer, name)))
    sets = [
        Movement(person, "", name, "", (movement(name, seed),))
        for seed, person in enumerate(("ann", "bob"))
        for name in ("swing", "turn")
    ]
    figures = {figure.name: figure.value for figure in cost(sets, lambda: now_s).figures}
    assert figures["s8_model_us"] == figures["s8_answer_us"] == 1e6
    assert figures["s8_features_one_ms"] == figures["s2_fit_s"] == 0
