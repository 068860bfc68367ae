"""Counting repetitions, for whoever answers with them."""

from collections.abc import Sequence

from models.reps.count import Repetitions, count_repetitions
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

FROM_S = 6.0  # of movement that was cut anywhere: in less there is hardly a second repetition
SET_FROM_S = 3.0  # of a set with borders of its own, which may be one heavy repetition
UP_TO_S = 1200.0  # twenty minutes of rope or rowing; longer than that nothing is one set


def repetitions(signals: Sequence[WristSignal], from_s: float = SET_FROM_S) -> Repetitions | None:
    """The repetitions of one set; None where it is too short or too long to be one.

    Args:
        signals: of one stretch of movement.
        from_s: duration from which on it is counted.
    """
    seconds = sum(len(signal.acc_g) for signal in signals) / RATE_HZ
    if not from_s <= seconds <= UP_TO_S:
        return None
    return count_repetitions(signals)
