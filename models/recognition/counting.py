"""Counting repetitions, for whoever answers with them."""

from collections.abc import Sequence

from models.reps.count import Repetitions, count_repetitions
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

FROM_S = 6.0  # in less there is hardly a second repetition
UP_TO_S = 300.0  # a set does not last longer


def repetitions(signals: Sequence[WristSignal]) -> Repetitions | None:
    """The repetitions of one set; None where it is too short or too long to be one."""
    seconds = sum(len(signal.acc_g) for signal in signals) / RATE_HZ
    if not FROM_S <= seconds <= UP_TO_S:
        return None
    return count_repetitions(signals)
