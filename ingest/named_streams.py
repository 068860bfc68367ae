"""Which streams that are known by name alone are of one wrist: `classify` declares no places."""

import os
from collections.abc import Mapping, Sequence

from ingest.wrist_streams import in_turn
from models.signal.pieces import Side
from schemas.times import SpanNs

Spans = Mapping[str, Sequence[SpanNs]]
"""Of the chunks of each stream."""

MIN_SHARED = 2  # characters: "left" and "right" have one in common


def read_together(acc: Spans, gyro: Spans, side: Side | None) -> tuple[list[str], list[str]]:
    """The streams of acceleration and of rotation that are read as one wrist's.

    Streams of a sensor are read in turn. Where they overlap in time, the first one counts: that
    whose name holds the side, then one whose name shares its beginning or end with a stream of
    rotation, then by name. Rotation that shares more with acceleration that is left out is too.

    >>> second = [(0, 2 * 10**9)]
    >>> acc, gyro = dict.fromkeys(("left_acc", "right_acc"), second), {"right_gyro": second}
    >>> read_together(acc, gyro, None), read_together(acc, gyro, "left")
    ((['right_acc'], ['right_gyro']), (['left_acc'], []))
    >>> acc = dict.fromkeys(("acc_left", "acc_right"), second)
    >>> read_together(acc, {"gyro_right": second}, None)
    (['acc_right'], ['gyro_right'])
    """
    if len(acc) < 2 and len(gyro) < 2:
        return list(acc), list(gyro)

    def rank(name: str) -> tuple[bool, bool, str]:
        """What sorts streams of acceleration: the first one counts."""
        is_other_side = side is not None and side not in name.casefold()
        return is_other_side, _most_shared(name, list(gyro)) < MIN_SHARED, name

    acc_names = in_turn({name: acc[name] for name in sorted(acc, key=rank)})
    left_out = [name for name in acc if name not in acc_names]
    theirs = {
        name: _most_shared(name, acc_names)
        for name in sorted(gyro)
        if _most_shared(name, acc_names) >= _most_shared(name, left_out)
    }
    ordered = sorted(theirs, key=lambda name: -theirs[name])
    return acc_names, in_turn({name: gyro[name] for name in ordered})


def _most_shared(name: str, others: Sequence[str]) -> int:
    return max((_shared(name, other) for other in others), default=0)


def _shared(one: str, other: str) -> int:
    """How many characters two names share at their beginnings and ends.

    >>> [_shared("left_acc", name) for name in ("left_gyro", "right_gyro")]
    [5, 0]
    """
    ends = os.path.commonprefix([one[::-1], other[::-1]])
    return len(os.path.commonprefix([one, other])) + len(ends)
