"""How often the next exercise is named right, beside simpler guesses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags
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
    """Learns from sessions before the cut-off, predicts each later set from what went before it.

    A session that had not ended by the cut-off is a later one as a whole. As in service the model
    goes on with every session that is over. A set of an exercise that was not done before counts as
    wrong. Users with too few sets before, or none after, are left out.
    """
    rows = [
        _score(log, early, settings)
        for log in logs
        if (early := log.in_sessions_before(cutoff_s)).sum() >= settings.least_sets
        and not early.all()
    ]
    if not rows:
        return NextScore(*[float("nan")] * 3, users=0)
    return NextScore(*np.mean(rows, axis=0).tolist(), users=len(rows))


def _score(log: SetLog, early: Flags, settings: NextSettings) -> tuple[float, float, float]:
    """The three shares of one user, in the order of `NextScore`."""
    model = fit_next(log.where(early), settings)
    names, counts = np.unique(log.exercise[early], return_counts=True)
    usual = str(names[counts.argmax()])
    sets: list[tuple[str, str, str]] = []
    for session in np.unique(log.session[~early]):
        model = model.continued(log.where((log.session < session) | early))
        sets += _session(model, log, int(session))
    return (
        float(np.mean([done == predicted for done, predicted, _ in sets])),
        float(np.mean([done == before for done, _, before in sets])),
        float(np.mean([done == usual for done, _, _ in sets])),
    )


def _session(model: NextModel, log: SetLog, session: int) -> Iterator[tuple[str, str, str]]:
    """(exercise, prediction, exercise before) of a session's sets; "" before a user's first one."""
    last = log.exercise[log.session == session - 1].tolist()
    done = log.exercise[log.session == session].tolist()
    for place, exercise in enumerate(done):
        predicted = model.predict(done[:place], before=last, n=1)[0][0]
        yield exercise, predicted, ["", *last, *done[:place]][-1]
