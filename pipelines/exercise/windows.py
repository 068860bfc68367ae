"""A user's sets as windows: found again where a run has kept them, computed where not. Pure.

Windows cost ten times as much as all that is learned from them. So they are computed once per
revision of a set and kept in its row of `labelled_sets`. Models are always learned from the kept
form, so that a retrain gives the bytes that a first training would have given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyarrow as pa

from models.exercise.examples import MAX_ROWS, ExampleSettings, windows_of_sets
from models.exercise.features import FEATURES_VERSION
from models.exercise.layout import layout_of
from models.exercise.quantised import (
    QuantisedWindows,
    quantise,
    windows_from_bytes,
    windows_to_bytes,
)
from models.signal.pieces import unpack_pieces
from models.signal.wrist import SIGNAL_VERSION, WristSignal, wrist_signals
from pipelines.exercise.labelled import LabelledRow
from schemas.errors import BadSamples
from schemas.inputs import InputLayout
from schemas.layout import LABELLED_TTL_S

KEPT_S = 90 * 86400
FRESH = pa.list_(
    pa.struct(
        [
            ("set_id", pa.string()),
            ("revision", pa.int64()),
            ("features", pa.binary()),
        ]
    )
)


@dataclass(frozen=True, slots=True)
class WindowRecipe:
    """What decides a set's windows beside the set.

    Attributes:
        settings: how windows are taken.
        seed: of the turned copies.
    """

    settings: ExampleSettings = ExampleSettings()
    seed: int = 1

    @property
    def name(self) -> str:
        """A name for the recipe: with the same name the windows are the same."""
        s = self.settings
        drawn = f"step_s={s.step_s:g} copies={s.copies} seed={self.seed}"
        return f"{SIGNAL_VERSION} {FEATURES_VERSION} {drawn}"


@dataclass(frozen=True, slots=True)
class Fresh:
    """Windows that were not kept yet: a row of `FRESH`."""

    set_id: str
    revision: int
    features: bytes


@dataclass(frozen=True, slots=True)
class Windowed:
    """Windows of a user's sets.

    Attributes:
        of: set id to windows.
        fresh: those that are to be kept.
    """

    of: Mapping[str, QuantisedWindows]
    fresh: tuple[Fresh, ...]


def windowed(sets: Sequence[LabelledRow], model_id: InputLayout, recipe: WindowRecipe) -> Windowed:
    """Windows of every set.

    Args:
        sets: of one user and layout.
        model_id: the layout; stretches of another one are left out.
        recipe: how windows are taken.

    Raises:
        BadSamples: a recording does not decode.
    """
    kept = {one.set_id: found for one in sets if (found := _kept(one, recipe)) is not None}
    missing = [one for one in sets if one.set_id not in kept]
    signals = [(_signals(one, model_id), _seed(one, recipe)) for one in missing]
    computed = [quantise(found) for found in windows_of_sets(signals, recipe.settings)]
    fresh = tuple(
        Fresh(one.set_id, one.revision, windows_to_bytes(windows, _name(one, recipe)))
        for one, windows in zip(missing, computed, strict=True)
    )
    new = {one.set_id: windows for one, windows in zip(missing, computed, strict=True)}
    return Windowed({**kept, **new}, fresh)


def ttl_s(revision: int, now: datetime) -> int:
    """Seconds for which windows are kept: never longer than their set; 0 or less: not at all.

    >>> from datetime import UTC
    >>> ttl_s(0, datetime(1971, 1, 31, tzinfo=UTC))
    432000
    """
    return min(KEPT_S, LABELLED_TTL_S - int(now.timestamp() - revision / 1e6))


def _kept(one: LabelledRow, recipe: WindowRecipe) -> QuantisedWindows | None:
    """The windows that an earlier run kept; None where it kept none, or others."""
    if one.features is None:
        return None
    try:
        kept = windows_from_bytes(one.features, _name(one, recipe))
    except BadSamples:
        return None
    return kept if kept.rows <= MAX_ROWS else None  # kept before there was a most


def _name(one: LabelledRow, recipe: WindowRecipe) -> str:
    return f"{one.revision} {recipe.name}"


def _signals(one: LabelledRow, model_id: InputLayout) -> list[WristSignal]:
    signals = wrist_signals(unpack_pieces(one.samples))
    return [signal for signal in signals if layout_of(signal) == model_id]


def _seed(one: LabelledRow, recipe: WindowRecipe) -> int:
    """The seed of the turns of a set's copies: it follows from the set's id and the recipe only."""
    return (UUID(one.set_id).int ^ recipe.seed) % 2**63
