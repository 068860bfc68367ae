"""Implicit ALS on MovieLens-100k: how good, and how soon, beside the `implicit` package.

Both choose their settings on a part of the training data alone. Films that a person rated in the
training part are not recommended. Time is that of learning, with compiled code and the data in
memory, for the least number of sweeps that reaches the mark on the test part: for both, this number
is found by looking at the test part after each number of sweeps.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `implicit` asks: its threads are enough

from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from bench.best_of import REPEATS, best_of
from bench.movielens import DATA, Split, read_movielens, split
from models.recommend.evaluate import RecommendScore, evaluate_recommender
from models.recommend.features import Counts
from models.recommend.fit import candidates, fit_recommender
from models.recommend.model import AlsSettings, Recommender, confidence_above_one
from muvr.context import CommandContext
from schemas.report import Figure

NDCG = 0.475
MOST_SWEEPS = 30
PROTOCOL = "75/25 at random, settings chosen inside the 75, unseen films only, nDCG@10"
TIME_PROTOCOL = (
    f"{PROTOCOL} ≥ {NDCG} after the fewest sweeps that reach it, found by trying each number on "
    f"the 25; best of {REPEATS}"
)
FitRecommender = Callable[[Counts, AlsSettings], Recommender]


@dataclass(frozen=True, slots=True)
class LearnerResult:
    """Results of a learner.

    Attributes:
        score: on the test part, with the settings that were best in validation.
        seconds: training time of the fewest sweeps that reach `NDCG`; None: never reached.
    """

    score: RecommendScore
    seconds: float | None


def run(context: CommandContext) -> list[Figure]:
    """Ours and theirs, one after the other in this process."""
    parts = split(read_movielens(context.config.paths.datasets))
    base = AlsSettings(threads=context.config.spark.cores, power=0.0)
    with context.terminal as terminal:
        terminal.step("ours", 0, 1)
        ours = reach(fit_ours, parts, candidates(base))
        terminal.step("implicit", 0, 1)
        # it knows no other
        plain = [candidate for candidate in candidates(base) if candidate.scaling == 0]
        theirs = reach(fit_theirs, parts, plain)
    say = context.terminal.say
    for name in ("popularity", "repeat_last"):
        ranking = getattr(ours.score, name)
        say(f"{name}: nDCG@10 {ranking.ndcg:.4f}, recall@10 {ranking.recall:.4f}")
    say(f"ours: recall@10 {ours.score.model.recall:.4f}")
    return [
        Figure(
            "ndcg_at_10",
            ours.score.model.ndcg,
            peer="implicit",
            peer_value=theirs.score.model.ndcg,
            floor=NDCG,
            data=DATA,
            protocol=PROTOCOL,
        ),
        Figure(
            "seconds_to_ndcg",
            ours.seconds,
            "s",
            peer="implicit",
            peer_value=theirs.seconds,
            data=DATA,
            protocol=f"{TIME_PROTOCOL}, {base.threads} threads",
        ),
    ]


def reach(fit: FitRecommender, parts: Split, tried: Sequence[AlsSettings]) -> LearnerResult:
    """Choose settings on the validation part; judge and time them on the whole training part.

    The time to a mark is one on the test part, so the sweeps that reach it are found there. The
    score has the number of sweeps of the settings.
    """
    best = max(
        tried,
        key=lambda candidate: _ndcg(fit(parts.fitted, candidate), parts.fitted, parts.validated),
    )
    score = _judge(fit(parts.train, best), parts.train, parts.test)
    for sweeps in range(1, MOST_SWEEPS + 1):
        settings = replace(best, sweeps=sweeps)
        if _ndcg(fit(parts.train, settings), parts.train, parts.test) >= NDCG:
            return LearnerResult(score, best_of(lambda: fit(parts.train, settings)))  # noqa: B023 called here
    return LearnerResult(score, None)


def fit_ours(counts: Counts, settings: AlsSettings) -> Recommender:
    """The kernel that Muvr uses."""
    return fit_recommender(counts, _names(counts), settings)


def fit_theirs(counts: Counts, settings: AlsSettings) -> Recommender:
    """Fit the same loss by `implicit`, whose confidence of an entry includes the 1."""
    learner: Any = AlternatingLeastSquares  # it takes more than its annotations say
    peer = learner(
        factors=settings.factors,
        regularization=settings.ridge,
        alpha=1.0,
        iterations=settings.sweeps,
        num_threads=settings.threads,
        random_state=settings.seed,
        dtype=np.float64,
    )
    confidence = 1 + confidence_above_one(counts.values, settings)
    shape = (counts.height, counts.width)
    peer.fit(csr_matrix((confidence, counts.columns, counts.starts), shape), show_progress=False)
    return Recommender(_names(counts), peer.user_factors, peer.item_factors, settings)


def _names(counts: Counts) -> tuple[str, ...]:
    return tuple(map(str, range(counts.width)))


def _judge(model: Recommender, known: Counts, wanted: Counts) -> RecommendScore:
    return evaluate_recommender(model, known, wanted, n=10, new_only=True)


def _ndcg(model: Recommender, known: Counts, wanted: Counts) -> float:
    return _judge(model, known, wanted).model.ndcg
