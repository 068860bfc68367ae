"""How often the next exercise is named right, beside simpler guesses."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.history import SetLog
from models.next.features import START, tokens_of
from models.next.fit import NextSettings, fit_next
from models.next.model import NextModel


@dataclass(frozen=True, slots=True)
class NextScore:
    """Means over users of shares between 0 and 1, on sets after the cut-off.

    Attributes:
        accuracy: the most probable exercise was done.
        top3: it was among the three most probable ones.
        changes: accuracy where the exercise differs from that of the set before.
        again: baseline: the exercise of the set before.
        usual: baseline: the exercise done most often.
        first_order: baseline: the same model with a context of one set.
        users: how many users were counted.
    """

    accuracy: float
    top3: float
    changes: float
    again: float
    usual: float
    first_order: float
    users: int


def evaluate_next(logs: Iterable[SetLog], cutoff_s: float, settings: NextSettings) -> NextScore:
    """Learns from sets before the cut-off, predicts each set after it from what went before it.

    A set of an exercise that was unknown at the cut-off counts as wrong. Users with too few sets
    before, or none after, are left out.
    """
    rows = [
        _score(log, cutoff_s, settings)
        for log in logs
        if len(log.before(cutoff_s)) >= settings.least_sets and len(log.since(cutoff_s))
    ]
    if not rows:
        return NextScore(*[float("nan")] * 6, users=0)
    means = np.nanmean(np.array(rows), axis=0).tolist()
    return NextScore(*means, users=len(rows))


def _score(log: SetLog, cutoff_s: float, settings: NextSettings) -> tuple[float, ...]:
    early = log.before(cutoff_s)
    model = fit_next(early, settings)
    simple = replace(model, order=1)
    everything = tuple(model.exercises) + tuple(
        sorted({str(name) for name in log.exercise} - set(model.exercises))
    )
    tokens, _ = tokens_of(log, everything)
    first = len(tokens_of(early, everything)[0])
    places = [place for place in range(first, len(tokens)) if tokens[place] != START]
    usual = int(np.bincount(tokens[:first][tokens[:first] != START]).argmax())
    best = np.array([_best(model, tokens[:place], settings.order) for place in places])
    one = np.array([_best(simple, tokens[:place], 1)[0] for place in places])
    true, before = tokens[places], tokens[np.array(places) - 1]
    right = best[:, 0] == true
    changed = true != before
    return (
        float(right.mean()),
        float((best == true[:, None]).any(axis=1).mean()),
        float(right[changed].mean()) if changed.any() else float("nan"),
        float((before == true).mean()),
        float((true == usual).mean()),
        float((one == true).mean()),
    )


def _best(model: NextModel, context: NDArray[np.int16], order: int) -> list[int]:
    """Tokens of the three most probable exercises, −1 where fewer are known."""
    chance = model.probabilities(context[-order:])
    best = (np.argsort(-chance, kind="stable")[:3] + 1).tolist()
    return best + [-1] * (3 - len(best))
