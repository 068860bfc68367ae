"""A user's sets as windows: read where an earlier run has stored them, else computed. Pure.

Computing windows costs ten times as much as learning from them. So they are computed once per
revision of a set and stored in its row of `labelled_sets`. Models are always learned from the
stored form, so that a retrain gives the bytes that a first training would have given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyarrow as pa

from models.exercise.examples import DEFAULT_EXAMPLES, ExampleSettings, set_windows
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
from schemas.retention import LABELLED_TTL_S, LONGEST_RUN_S, WINDOWS_TTL_S

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
    """The settings that decide a set's windows.

    Attributes:
        settings: how windows are taken.
        seed: of the rotated copies.
    """

    settings: ExampleSettings = DEFAULT_EXAMPLES
    seed: int = 1

    @property
    def name(self) -> str:
        """A name for the recipe: with the same name the windows are the same."""
        s = self.settings
        sampling = f"step_s={s.step_s:g} copies={s.copies} seed={self.seed}"
        return f"{SIGNAL_VERSION} {FEATURES_VERSION} {sampling}"


@dataclass(frozen=True, slots=True)
class FreshWindows:
    """Windows that are not stored yet: a row of `FRESH`."""

    set_id: str
    revision: int
    features: bytes


@dataclass(frozen=True, slots=True)
class FoundWindows:
    """Windows of a user's sets.

    Attributes:
        by_set: set id to windows.
        fresh: those that are to be stored.
    """

    by_set: Mapping[str, QuantisedWindows]
    fresh: tuple[FreshWindows, ...]


def find_windows(
    sets: Sequence[LabelledRow], layout: InputLayout, recipe: WindowRecipe
) -> FoundWindows:
    """The windows of every set, stored ones where they fit the recipe.

    Args:
        sets: of one user and layout.
        layout: which; stretches of another one are left out.
        recipe: how windows are taken.

    Raises:
        BadSamples: a recording does not decode.
    """
    stored = {row.set_id: kept for row in sets if (kept := _stored(row, recipe)) is not None}
    missing = [row for row in sets if row.set_id not in stored]
    computed = [
        quantise(
            set_windows(_signals(row, layout), seed=_seed(row, recipe), settings=recipe.settings)
        )
        for row in missing
    ]
    fresh = tuple(
        FreshWindows(row.set_id, row.revision, windows_to_bytes(windows, _name(row, recipe)))
        for row, windows in zip(missing, computed, strict=True)
    )
    new = {row.set_id: windows for row, windows in zip(missing, computed, strict=True)}
    return FoundWindows({**stored, **new}, fresh)


def ttl_s(revision: int, now: datetime) -> int:
    """Time to live of stored windows, which end before their set does; 0 or less: not stored.

    Args:
        revision: of the set.
        now: the start of the run, which may write them up to `LONGEST_RUN_S` later.

    >>> from datetime import UTC
    >>> ttl_s(0, datetime(1971, 1, 31, tzinfo=UTC))
    345600
    """
    remaining_s = LABELLED_TTL_S - int(now.timestamp() - revision / 1e6)
    return min(WINDOWS_TTL_S, remaining_s - LONGEST_RUN_S)


def _stored(row: LabelledRow, recipe: WindowRecipe) -> QuantisedWindows | None:
    """The windows that an earlier run stored; None without any, or with those of another recipe."""
    if row.features is None:
        return None
    try:
        return windows_from_bytes(row.features, _name(row, recipe))
    except BadSamples:
        return None


def _name(row: LabelledRow, recipe: WindowRecipe) -> str:
    return f"{row.revision} {recipe.name}"


def _signals(row: LabelledRow, layout: InputLayout) -> list[WristSignal]:
    signals = wrist_signals(unpack_pieces(row.samples))
    return [signal for signal in signals if layout_of(signal) == layout]


def _seed(row: LabelledRow, recipe: WindowRecipe) -> int:
    """The seed of the rotations of a set's copies, from the set's id and the recipe only."""
    return (UUID(row.set_id).int ^ recipe.seed) % 2**63
