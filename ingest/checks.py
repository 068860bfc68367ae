"""Checks of a chunk in any form: its numbers must be possible for a sensor."""

import numpy as np
from numpy.typing import NDArray

from models.signal.pieces import Piece
from schemas.bounds import first_parts
from schemas.config import Limits
from schemas.errors import BadChunk
from schemas.wire import (
    MAX_MAGNITUDE,
    RATE_MAX_HZ,
    RATE_MIN_HZ,
    magnitude_rule,
    rule_for_thousandths,
    unit_rule,
)

T0_MAX_NS = 1 << 62  # the year 2116
COARSEST_STEPS = 1000
"""A scale is refused where fewer steps than this reach the largest value of the unit. For
acceleration the coarsest step is then 1 g; 8 bits of ±16 g have steps of 0.125."""
_SHOWN_CHARS = 60  # of a value in an error
_I4_MAX = (1 << 31) - 1


def checked(piece: Piece, limits: Limits) -> Piece:
    """The piece, if a sensor can produce its numbers.

    Raises:
        BadChunk: which field, and its value.
    """
    n = len(piece.counts)
    if not 1 <= n <= limits.chunk_samples:
        raise bad("n", n, f"must lie between 1 and {limits.chunk_samples}")
    if not 0 <= piece.t0_ns < T0_MAX_NS:
        raise bad("t0", piece.t0_ns, "must be nanoseconds since 1970, before 2116")
    if not RATE_MIN_HZ <= piece.rate_hz <= RATE_MAX_HZ:
        raise bad("rate_hz", piece.rate_hz, f"must lie between {RATE_MIN_HZ} and {RATE_MAX_HZ}")
    if piece.unit not in MAX_MAGNITUDE:
        raise bad("unit", piece.unit, unit_rule(piece.unit))
    _check_scale(piece)
    return piece


def _check_scale(piece: Piece) -> None:
    """Refuse steps that no sensor has, and values that no sensor measures.

    The step alone is no criterion: that of an 8-bit sensor is a hundred times that of a 16-bit one.
    So the values are checked too, but only if 16-bit counts with this step could exceed the limit.

    Raises:
        BadChunk: the scale.
    """
    largest, unit = MAX_MAGNITUDE[piece.unit], piece.unit
    coarsest = largest / COARSEST_STEPS
    if not 0 < piece.scale <= coarsest:
        why = f"must lie above 0 and at most {coarsest:.3g} {unit}; {rule_for_thousandths(unit)}"
        raise bad("scale", piece.scale, why)
    if piece.scale <= largest / 32767:
        return
    reached = max(int(piece.counts.max()), -int(piece.counts.min())) * piece.scale
    if reached > largest:
        why = f"makes {reached:.4g} {unit} of the largest count; {magnitude_rule(unit)}"
        raise bad("scale", piece.scale, why)


def bad(field: str, value: object, why: str) -> BadChunk:
    """The error with a field, its value and what would be right.

    >>> problem = bad("unit", "furlong", "must be g")
    >>> str(problem), problem.value
    ("unit = 'furlong': must be g", 'furlong')
    """
    try:
        shown = repr(first_parts(value, _SHOWN_CHARS))
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        shown = f"a {type(value).__name__} too large to be shown"
    shown = shown if len(shown) <= _SHOWN_CHARS else f"{shown[: _SHOWN_CHARS - 3]}..."
    plain = isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 2**53)
    return BadChunk(f"{field} = {shown}: {why}", field=field, value=value if plain else shown)


def checked_offsets(t_ms: list[int], n: int) -> NDArray[np.int32]:
    """Offsets of irregular samples, int32 (n,), ms.

    Raises:
        BadChunk: another number of them, out of range, or running backwards.
    """
    if len(t_ms) != n:
        raise bad("t_ms", len(t_ms), f"must hold n = {n} offsets")
    if not all(type(t) is int and 0 <= t <= _I4_MAX for t in t_ms):
        raise bad("t_ms", t_ms[:5], "must be milliseconds from t0, 0 to 2³¹-1, as integers")
    offsets = np.array(t_ms, dtype=np.int32)
    if n > 1 and (np.diff(offsets) < 0).any():
        at = int(np.argmax(np.diff(offsets) < 0)) + 1
        raise bad(f"t_ms[{at}]", int(offsets[at]), f"must not be before {offsets[at - 1]}")
    return offsets
