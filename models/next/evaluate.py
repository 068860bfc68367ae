"""How often the next exercise is named right, beside simpler guesses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from models.history import SetLog
from models.next.fit import NextSettings, fit_next
from models.next.model import NextModel


@dataclass(frozen=True, slots=True)
class NextScore:
    """Means over users of shares between 0 and 1, on sets after the cut-off.

    Attributes:
        accuracy: the most probable exercise was done.
        again: baseline: the exercise of the set before.
        usual: baseline: the exercise done most often.
        users: how many users were counted.
    """

    accuracy: float
    again: float
    usual: float
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
        return NextScore(*[float("nan")] * 3, users=0)
    return NextScore(*np.mean(rows, axis=0).tolist(), users=len(rows))


def _score(log: SetLog, cutoff_s: float, settings: NextSettings) -> tuple[float, float, float]:
    """The three shares of one user, in the order of `NextScore`."""
    early, late = log.before(cutoff_s), log.since(cutoff_s)
    model = fit_next(early, settings)
    names, counts = np.unique(early.exercise, return_counts=True)
    usual = str(names[counts.argmax()])
    sets: list[tuple[str, str, str]] = []
    for session in np.unique(late.session):
        model = model.continued(log.where((log.session < session) | (log.started_s < cutoff_s)))
        sets += _session(model, log, int(session), cutoff_s)
    return (
        float(np.mean([done == predicted for done, predicted, _ in sets])),
        float(np.mean([done == before for done, _, before in sets])),
        float(np.mean([done == usual for done, _, _ in sets])),
    )


def _session(
    model: NextModel, log: SetLog, session: int, cutoff_s: float
) -> Iterator[tuple[str, str, str]]:
    """(exercise, prediction, exercise before) of a session's sets that began after the cut-off."""
    own = log.where(log.session == session)
    last = log.where(log.session == session - 1).exercise.tolist()
    done = own.exercise.tolist()
    for place in np.flatnonzero(own.started_s >= cutoff_s).tolist():
        predicted = model.predict(done[:place], before=last, n=1)[0][0]
        yield done[place], predicted, [*last, *done[:place]][-1]
