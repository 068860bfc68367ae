"""A user's sets as one line of tokens, with a mark where each session begins."""

from collections.abc import Sequence

import numpy as np

from models.arrays import Ints16, Ints64
from models.history import SetLog

START = 0  # the token of the beginning of a session; exercises count from 1


def tokens_of(log: SetLog, exercises: Sequence[str]) -> tuple[Ints16, Ints64]:
    """(tokens, session of each token) of a log, (t,) each, oldest first; (0,) of an empty one.

    Args:
        log: the user's sets.
        exercises: the k-th (from 0) has the token k + 1; sets of others are left out.

    >>> from models.history import DoneSet
    >>> rows = [DoneSet("a", 0.0, "squat", 5, 80.0, None),
    ...         DoneSet("a", 1.0, "lunge", 8, 20.0, None),
    ...         DoneSet("b", 9.0, "squat", 5, 80.0, None)]
    >>> tokens_of(SetLog.of(rows), ["lunge", "squat"])[0].tolist()
    [0, 2, 1, 0, 2]
    """
    number = {name: token for token, name in enumerate(exercises, start=1)}
    tokens: list[int] = []
    sessions: list[int] = []
    for session, name in zip(log.session.tolist(), log.exercise.tolist(), strict=True):
        if name not in number:
            continue
        if not sessions or sessions[-1] != session:
            tokens.append(START)
            sessions.append(session)
        tokens.append(number[name])
        sessions.append(session)
    return np.array(tokens, np.int16), np.array(sessions, np.int64)
