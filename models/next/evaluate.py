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
    places: list[_Place] = []
    for session in np.unique(late.session):
        model = model.continued(log.where((log.session < session) | (log.started_s < cutoff_s)))
        places += _session(model, log, int(session), cutoff_s)
    best = [place.right_at < 1 for place in places]
    changed = [place for place in places if place.before != place.true]
    return (
        float(np.mean(best)),
        float(np.mean([place.right_at < TOP for place in places])),
        float(np.mean([place.right_at < 1 for place in changed])) if changed else float("nan"),
        float(np.mean([place.before == place.true for place in places])),
        float(np.mean([place.true == usual for place in places])),
        float(np.mean([place.simple == place.true for place in places])),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """One set after the cut-off.

    Attributes:
        true: its exercise.
        before: that of the set before it.
        right_at: place of the true one among the first answers, `TOP` where it is not.
        simple: the first answer from a context of one set.
    """

    true: str
    before: str
    right_at: int
    simple: str


def _session(model: NextModel, log: SetLog, session: int, cutoff_s: float) -> list[_Place]:
    """The sets of one session that began after the cut-off."""
    own = log.where(log.session == session)
    last = log.where(log.session == session - 1).exercise.tolist()
    done = own.exercise.tolist()
    one = replace(model, order=1)
    places: list[_Place] = []
    for place in np.flatnonzero(own.started_s >= cutoff_s).tolist():
        asked = [name for name, _ in model.predict(done[:place], before=last, n=TOP)]
        true = done[place]
        places.append(
            _Place(
                true,
                [*last, *done[:place]][-1],
                asked.index(true) if true in asked else TOP,
                one.predict(done[:place], before=last, n=1)[0][0],
            )
        )
    return places
