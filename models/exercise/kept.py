"""A set's windows as they are kept: four bits a feature, so that a retrain needs no samples.

Every feature of a set is measured from its least to its largest value in 15 steps: rounding adds
about a hundredth to the variance inside of a set. What is learned is always learned from these
numbers, whether they were just computed or found again: the bytes of a model cannot tell.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.exercise.examples import SetWindows
from schemas.errors import BadSamples

STEPS = 15
LARGEST = 6e4  # what float16 holds
WIDER = 1.002  # float16 rounds: the steps reach a little past the largest value


class _Blob(msgspec.Struct, array_like=True, tag="muvr-windows-2"):
    of: str
    side: str
    window_s: float
    asked: int
    rows: int
    least: bytes
    step: bytes
    counts: bytes


def windows_to_bytes(windows: SetWindows, of: str) -> bytes:
    """The kept form of a set's windows; that there are none is kept as well.

    Args:
        windows: of one set.
        of: names everything that they were computed from.
    """
    x = windows.x if len(windows.x) else np.zeros((1, 0), dtype=np.float32)
    low, high = np.clip([x.min(axis=0), x.max(axis=0)], -LARGEST, LARGEST)
    least = low.astype("<f2")
    step = ((high - least) * np.float32(WIDER / STEPS)).astype("<f2")
    places = x - least.astype(np.float32)
    places /= np.where(step > 0, step, 1).astype(np.float32)
    np.clip(np.rint(places, out=places), 0, STEPS, out=places)
    blob = _Blob(
        of=of,
        side=windows.side,
        window_s=windows.window_s,
        asked=windows.asked,
        rows=len(windows.x),
        least=least.tobytes(),
        step=step.tobytes(),
        counts=_packed(places.astype(np.uint8)).tobytes(),
    )
    return msgspec.msgpack.encode(blob)


def windows_from_bytes(blob: bytes, of: str) -> SetWindows:
    """The windows of `windows_to_bytes`, within half a step.

    >>> x = np.array([[0.0, 5.0], [1.0, 5.0]], np.float32)
    >>> blob = windows_to_bytes(SetWindows("left", 1.0, 2, x), "a set")
    >>> windows_from_bytes(blob, "a set").x.round(2).tolist()
    [[0.0, 5.0], [1.0, 5.0]]

    Raises:
        BadSamples: anything else, or windows of something else.
    """
    try:
        kept = msgspec.msgpack.decode(blob, type=_Blob)
        if kept.of != of:
            raise BadSamples(f"kept windows are of {kept.of!r}, not {of!r}")
        least = np.frombuffer(kept.least, "<f2").astype(np.float32)
        step = np.frombuffer(kept.step, "<f2").astype(np.float32)
        pairs = np.frombuffer(kept.counts, np.uint8).reshape((kept.rows + 1) // 2, len(least))
        x = _unpacked(pairs, kept.rows)
        x *= step
        x += least
    except (msgspec.DecodeError, ValueError, RecursionError, UnicodeDecodeError) as error:
        raise BadSamples(f"these are no kept windows: {error}") from error
    return SetWindows(kept.side, kept.window_s, kept.asked, x)


def as_kept(windows: SetWindows) -> SetWindows:
    """The windows as they are found again: what is learned from."""
    return windows_from_bytes(windows_to_bytes(windows, ""), "")


def _packed(counts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two rows of numbers below 16 in one row of bytes, ((m + 1) // 2, d)."""
    pairs = counts[::2].copy()
    pairs[: len(counts) // 2] |= counts[1::2] << 4
    return pairs


def _unpacked(pairs: NDArray[np.uint8], rows: int) -> NDArray[np.float32]:
    counts = np.empty((rows, pairs.shape[1]), dtype=np.float32)
    counts[::2] = pairs & STEPS
    counts[1::2] = pairs[: rows // 2] >> 4
    return counts
