"""What a corrected recording lacks that models rely on: gravity, a possible unit, a rate."""

from models.signal.gravity import second_means_g
from models.signal.pieces import Recording
from models.signal.rates import sampling_rate_hz
from schemas.notes import LOW_RATE, NO_GRAVITY, UNIT_IMPLAUSIBLE, QualityNote

MIN_GRAVITY = 0.4  # median norm of a second's mean acceleration, g: at least .6 on wrists
MAX_GRAVITY = 3.0
"""Largest plausible median of those norms, g: an arm that is swung in circles, once a second, has
2.8, and in a straight line it would gain 20 m/s every second. In 335 recordings it is .6 to 1.8.
Milli-g that are declared as g make 1,000, and as m/s² 100."""
MIN_RATE_HZ = 22.0  # below it features describe more than was recorded (decision 41)


def quality_notes(recording: Recording) -> tuple[QualityNote, ...]:
    """Notes on missing or impossible gravity, and on a low rate, which models rely on.

    Some phones offer acceleration with gravity removed. A second's mean of that is nearly 0,
    whatever the wrist does; with gravity it is about 1 g.

    Args:
        recording: corrected.

    >>> import numpy as np
    >>> from models.signal.pieces import Piece
    >>> still = Piece(0, 50.0, "g", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> quality_notes(Recording((still,), (), None))
    ('gravity-is-missing',)
    """
    if not recording.acc:
        return ()
    rates_hz = [sampling_rate_hz(piece) for piece in recording.acc]
    means_g = second_means_g(recording.acc, rates_hz)
    gravity_g = _upper_median(means_g) if means_g else 1.0
    conditions = (
        (NO_GRAVITY, gravity_g < MIN_GRAVITY),
        (UNIT_IMPLAUSIBLE, gravity_g > MAX_GRAVITY),
        (LOW_RATE, _upper_median(rates_hz) < MIN_RATE_HZ),
    )
    return tuple(note for note, is_so in conditions if is_so)


def _upper_median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]  # a tenth of the time of a median
