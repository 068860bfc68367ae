"""From log odds per window to spans of exercise, by a two-state Viterbi path."""

import numpy as np

from models.arrays import Flags, Floats64

Span = tuple[float, float]


def viterbi_states(log_odds: Floats64, stay: float) -> Flags:
    """The most likely path of exercise (true) and idle (Viterbi).

    Args:
        log_odds: (m,) of exercise against idle, window by window.
        stay: probability that neighbouring windows are in the same state.

    >>> viterbi_states(np.array([-9.0, 9.0, 9.0, -1.0, 9.0, -9.0]), 0.9).astype(int).tolist()
    [0, 1, 1, 1, 1, 0]
    """
    if not len(log_odds):
        return np.zeros(0, dtype=bool)
    change = float(np.log(1 - stay) - np.log(stay))
    came_idle = np.zeros(len(log_odds), dtype=bool)
    came_active = np.ones(len(log_odds), dtype=bool)
    idle, active = 0.0, float(log_odds[0])
    for k, odds in enumerate(log_odds[1:].tolist(), start=1):
        came_idle[k] = active + change > idle
        came_active[k] = active >= idle + change
        idle, active = max(idle, active + change), max(active, idle + change) + odds
    states = np.zeros(len(log_odds), dtype=bool)
    states[-1] = active > idle
    for k in range(len(log_odds) - 1, 0, -1):
        states[k - 1] = came_active[k] if states[k] else came_idle[k]
    return states


def spans_of(states: Flags, centre_s: Floats64, duration_s: float) -> list[Span]:
    """Spans of exercise in seconds; at the first or last window they reach the end of the signal.

    Args:
        states: (m,) true for exercise, window by window; none of no window.
        centre_s: (m,) middle of each window.
        duration_s: of the signal.

    >>> spans_of(np.array([False, True, True]), np.array([2.0, 2.5, 3.0]), 5.0)
    [(2.25, 5.0)]
    """
    steps = np.diff(np.concatenate([[0], states.astype(np.int8), [0]]))
    firsts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    middle = (centre_s[1:] + centre_s[:-1]) / 2
    return [
        (
            float(middle[a - 1]) if a > 0 else 0.0,
            float(middle[b - 1]) if b < len(states) else duration_s,
        )
        for a, b in zip(firsts.tolist(), ends.tolist(), strict=True)
    ]
