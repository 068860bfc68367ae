"""Whether recommendations go live."""

from math import nan

import pytest

from models.recommend.evaluate import Ranking, RecommendScore
from pipelines.recommend import refusal_reason

NOBODY = Ranking(nan, nan, 0)
WORSE, BETTER = Ranking(0.4, 0.4, 3), Ranking(0.5, 0.5, 3)


@pytest.mark.parametrize(
    ("model", "baseline", "reason"),
    [
        (BETTER, WORSE, ""),
        (WORSE, WORSE, "no better than popularity or repeating the last exercises"),
        (NOBODY, NOBODY, "nobody has sets both before and in the last 28 days, which judge"),
    ],
    ids=["better", "as good", "nobody"],
)
def test_refusal_says_whether_the_model_lost_or_nobody_could_judge_it(model, baseline, reason):
    assert refusal_reason(RecommendScore(model, baseline, baseline)) == reason
