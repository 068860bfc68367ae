"""Which streams of a session are those of one wrist, and which of them are read as one recording.

Training, sessions and live recognition use the same streams. Those that none of them uses are named
in the session's notes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.clocks import overlap
from models.signal.pieces import Side
from schemas.times import SpanNs

WRIST_PLACEMENTS = ("wrist", "watch")
"""Words that name a wrist; alone they contradict no other placement on a wrist: `wrist` is also
what is stored where a client declares none."""


@dataclass(frozen=True, slots=True)
class WristStreams:
    """Streams of one wrist.

    Attributes:
        acc: names of its streams of acceleration, in order; empty where there is none.
        gyro: likewise of rotation.
        side: of the wrist, None where nobody said.
    """

    acc: tuple[str, ...]
    gyro: tuple[str, ...]
    side: Side | None


@dataclass(frozen=True, slots=True)
class _Place:
    """The streams that were worn at one place; None where a declaration leaves something out."""

    placement: str | None
    side: str | None
    acc: tuple[str, ...]
    gyro: tuple[str, ...]


def wrist_of(streams: Mapping[str, Mapping[str, str | None]]) -> WristStreams:
    """The wrist that training and answers use: the first with both sensors, else with acceleration.

    Streams belong together when placement, in any case, and side are the same. Acceleration and
    rotation whose declarations do not contradict each other belong together as well, unless there
    are several to choose from. A device worn elsewhere is used as if it were on a wrist, but only
    where no wrist has acceleration (`is_on_wrist`).

    >>> acc = {"kind": "acc", "placement": "wrist", "side": "left"}
    >>> wrist_of({"a": acc, "g": {**acc, "kind": "gyro"}})
    WristStreams(acc=('a',), gyro=('g',), side='left')
    >>> wrist_of({"a": acc, "g": {"kind": "gyro", "placement": "Watch", "side": None}})
    WristStreams(acc=('a',), gyro=('g',), side='left')
    """
    usable = [place for place in _paired(_places(streams)) if place.acc]
    candidates = [place for place in usable if is_on_wrist(place.placement)] or usable
    with_both = [place for place in candidates if place.gyro]
    for place in with_both or candidates:
        return WristStreams(place.acc, place.gyro, _side(place.side))
    return WristStreams((), (), None)


def in_turn(spans: Mapping[str, Sequence[SpanNs]]) -> list[str]:
    """Those streams of one sensor at one place that are read as one recording.

    An app that is restarted may go on under another name. Where two streams overlap in time by more
    than a second, samples of both would be interleaved: the first one counts.

    Args:
        spans: those of the chunks of each stream; the streams in order.

    >>> s = 10**9
    >>> in_turn({"a": [(0, 9 * s)], "b": [(5 * s, 20 * s)], "c": [(9 * s, 12 * s)], "d": []})
    ['a', 'c', 'd']
    """
    if len(spans) < 2:
        return list(spans)
    kept: list[str] = []
    for name in spans:
        if not overlap([spans[other] for other in (*kept, name)]):
            kept.append(name)
    return kept


def is_on_wrist(placement: str | None) -> bool:
    """Whether a placement names a wrist; a missing one counts as a wrist.

    >>> [is_on_wrist(text) for text in (None, "Left Wrist", "watch", "pocket")]
    [True, True, True, False]
    """
    return placement is None or any(word in placement.casefold() for word in WRIST_PLACEMENTS)


def _places(streams: Mapping[str, Mapping[str, str | None]]) -> list[_Place]:
    """The places that streams declare, in order."""
    kinds: dict[tuple[str | None, str | None], dict[str, list[str]]] = {}
    for name, stream in sorted(streams.items()):
        placement = stream.get("placement")
        key = (placement and placement.casefold(), stream.get("side"))
        kinds.setdefault(key, {}).setdefault(str(stream["kind"]), []).append(name)
    return [
        _Place(*key, tuple(names.get("acc", ())), tuple(names.get("gyro", ())))
        for key, names in sorted(kinds.items(), key=str)
    ]


def _paired(places: Sequence[_Place]) -> list[_Place]:
    """The places, those with acceleration joined to the only one with rotation that may be theirs.

    A place with both sensors takes no other one's, and one that fits two places is of neither.
    """
    lacking = [place for place in places if not place.gyro]
    rotating = [place for place in places if not place.acc]
    paired: list[_Place] = []
    for place in places:
        fitting = [other for other in rotating if _agree(place, other)]
        rivals = [other for other in lacking if fitting and _agree(other, fitting[0])]
        is_sure = place in lacking and len(fitting) == len(rivals) == 1
        paired.append(_joined(place, fitting[0]) if is_sure else place)
    return paired


def _agree(one: _Place, other: _Place) -> bool:
    """Whether two places may be the same."""
    sides, placements = {one.side, other.side}, {one.placement, other.placement}
    same_side = None in sides or len(sides) == 1
    general = None in placements or (
        not placements.isdisjoint(WRIST_PLACEMENTS) and all(map(is_on_wrist, placements))
    )
    return same_side and (general or len(placements) == 1)


def _joined(place: _Place, rotating: _Place) -> _Place:
    """A place with acceleration, and the rotation of another one."""
    placement, side = place.placement or rotating.placement, place.side or rotating.side
    return _Place(placement, side, place.acc, rotating.gyro)


def _side(side: str | None) -> Side | None:
    return side if side in ("left", "right") else None
