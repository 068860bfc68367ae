"""How often the next exercise is named right, beside simpler guesses."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from models.history import SetLog
from models.next.fit import NextSettings, fit_next
from models.next.model import NextModel

TOP = 3  # answers that are looked at


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

    As in service the model goes on with every session that is over. A set of an exercise that was
    not done before counts as wrong. Users with too few sets before, or none after, are left out.
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
    early, late = log.before(cutoff_s), log.since(cutoff_s)
    model = fit_next(early, settings)
    names, counts = np.unique(early.exercise, return_counts=True)
    usual = str(names[counts.argmax()])
    results: list[_SetResult] = []
    for session in np.unique(late.session):
        model = model.continued(log.where((log.session < session) | (log.started_s < cutoff_s)))
        results += _session(model, log, int(session), cutoff_s)
    best = [result.true_rank < 1 for result in results]
    changed = [result for result in results if result.before != result.true]
    return (
        float(np.mean(best)),
        float(np.mean([result.true_rank < TOP for result in results])),
        float(np.mean([result.true_rank < 1 for result in changed])) if changed else float("nan"),
        float(np.mean([result.before == result.true for result in results])),
        float(np.mean([result.true == usual for result in results])),
        float(np.mean([result.first_order == result.true for result in results])),
    )


@dataclass(frozen=True, slots=True)
class _SetResult:
    """One set after the cut-off.

    Attributes:
        true: its exercise.
        before: that of the set before it.
        true_rank: place of the true one among the first answers, `TOP` where it is not.
        first_order: the first answer from a context of one set.
    """

    true: str
    before: str
    true_rank: int
    first_order: str


def _session(model: NextModel, log: SetLog, session: int, cutoff_s: float) -> list[_SetResult]:
    """The sets of one session that began after the cut-off."""
    own = log.where(log.session == session)
    last = log.where(log.session == session - 1).exercise.tolist()
    done = own.exercise.tolist()
    order_1 = replace(model, order=1)
    results: list[_SetResult] = []
    for position in np.flatnonzero(own.started_s >= cutoff_s).tolist():
        predicted = [name for name, _ in model.predict(done[:position], before=last, n=TOP)]
        true = done[position]
        results.append(
            _SetResult(
                true,
                [*last, *done[:position]][-1],
                predicted.index(true) if true in predicted else TOP,
                order_1.predict(done[:position], before=last, n=1)[0][0],
            )
        )
    return results
