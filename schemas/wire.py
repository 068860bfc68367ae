"""Shapes of what crosses HTTP, as msgspec structs: decoded and checked in one step."""

from typing import Final

import msgspec

UNITS = {"acc": ("g", "m/s2"), "gyro": ("rad/s", "deg/s")}
RATE_MIN_HZ, RATE_MAX_HZ = 1.0, 1000.0

MAX_MAGNITUDE: Final = {"g": 1000.0, "m/s2": 10_000.0, "rad/s": 1000.0, "deg/s": 60_000.0}
"""No wrist and no sensor reaches these values: a larger one is an error in unit or scale."""

CONVERSIONS: Final = {
    "mg": ("g", 0.001),
    "mdps": ("deg/s", 0.001),
    "mrad/s": ("rad/s", 0.001),
    "dps": ("deg/s", 1),
    "m/s^2": ("m/s2", 1),
    "m/s²": ("m/s2", 1),
}
"""Units of devices that are not sent: which one is instead, and what to multiply the scale with."""
_THOUSANDTHS = {"g": "mg", "m/s2": "mg", "rad/s": "mrad/s", "deg/s": "mdps"}

SEQ_MAX = 1_000_000
"""The largest chunk number."""

LIST_BYTES = 8_000_000
"""The largest list of a stream, in bytes: a hash takes 67 and a number without a chunk 5. A list is
one row of the journal, and a node takes 8 MiB in one write. It holds 119,000 hashes: 33 hours of
one-second chunks, or two weeks of chunks of 512 samples at 50 Hz."""

CHUNK_FIELDS: Final = ("v", "t0", "rate_hz", "unit", "scale", "n", "xyz")
"""The binary form, in its canonical order; `t_ms` follows where a device is irregular.

`v` 1, `t0` ns since the epoch, `rate_hz` float, `unit`, `scale` unit per count, `n` samples,
`xyz` int16 little-endian, interleaved, 6·n bytes, `t_ms` n int offsets from t0.
"""


def conversion_of(unit: object) -> str | None:
    """What to send instead of a device's unit; None where that is not known.

    >>> conversion_of("mg")
    "for mg send unit 'g' with scale × 0.001 (in JSON, values × 0.001)"
    """
    if not isinstance(unit, str) or unit not in CONVERSIONS:
        return None
    sent, factor = CONVERSIONS[unit]
    if factor == 1:
        return f"for {unit} send unit {sent!r}"
    return f"for {unit} send unit {sent!r} with scale × {factor} (in JSON, values × {factor})"


def unit_rule(unit: str) -> str:
    """What the unit of a chunk must be, and what to send instead of this one.

    >>> unit_rule("furlong")
    'must be one of g, m/s2, rad/s, deg/s'
    """
    rule, instead = f"must be one of {', '.join(MAX_MAGNITUDE)}", conversion_of(unit)
    return rule if instead is None else f"{rule}; {instead}"


def magnitude_rule(unit: str) -> str:
    """What values of a unit must be, and what to send where they are thousandths of it.

    >>> magnitude_rule("g")
    "must lie within ±1000 g; for mg send unit 'g' with scale × 0.001 (in JSON, values × 0.001)"
    """
    return f"must lie within ±{MAX_MAGNITUDE[unit]:g} {unit}; {rule_for_thousandths(unit)}"


def rule_for_thousandths(unit: str) -> str:
    """What to send where values are thousandths of a unit, which is the usual error.

    >>> rule_for_thousandths("deg/s")
    "for mdps send unit 'deg/s' with scale × 0.001 (in JSON, values × 0.001)"
    """
    return str(conversion_of(_THOUSANDTHS[unit]))


class JsonChunk(msgspec.Struct, forbid_unknown_fields=True):
    """A chunk in its readable form: a list of numbers for each axis, in `unit`."""

    t0: str
    rate_hz: float
    unit: str
    x: list[float]
    y: list[float]
    z: list[float]
    v: int = 1
    t_ms: list[int] | None = None


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """The bytes with this hash are durable.

    `quantum`: the step that values of JSON and of acquisitions are rounded to.
    """

    session: str
    stream: str
    seq: int
    samples: int
    sha256: str
    quantum: float | None = None
