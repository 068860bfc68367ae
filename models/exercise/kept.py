"""A set's windows as they are kept: eight bits a feature, so that a retrain needs no samples.

Every feature of a set is measured from its least to its largest value in 255 steps. A step is far
below what windows of one set differ by, and what is learned is always learned from these numbers,
whether they were just computed or found again: the bytes of a model cannot tell.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.exercise.examples import SetWindows
from models.signal.codec import pack_bytes, unpack_bytes
from schemas.errors import BadSamples

STEPS = 255
LARGEST = 6e4  # what float16 holds
WIDER = 1.002  # float16 rounds: the steps reach a little past the largest value


class _Blob(msgspec.Struct, array_like=True, tag="muvr-windows-1"):
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
    x = np.clip(windows.x, -LARGEST, LARGEST)
    if len(x) == 0:
        x = np.zeros((1, 0), dtype=np.float32)
    least = x.min(axis=0).astype("<f2")
    step = ((x.max(axis=0) - least) * np.float32(WIDER / STEPS)).astype("<f2")
    unit = np.where(step > 0, step, 1).astype(np.float32)
    counts = np.clip(np.rint((x - least.astype(np.float32)) / unit), 0, STEPS).astype(np.uint8)
    blob = _Blob(
        of=of,
        side=windows.side,
        window_s=windows.window_s,
        asked=windows.asked,
        rows=len(windows.x),
        least=least.tobytes(),
        step=step.tobytes(),
        counts=pack_bytes(np.ascontiguousarray(counts.T).tobytes()),
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
        raw = unpack_bytes(kept.counts, kept.rows * len(least)) if kept.rows else b""
        counts: NDArray[np.uint8] = np.frombuffer(raw, np.uint8).reshape(len(least), kept.rows)
        x = np.ascontiguousarray(counts.T).astype(np.float32) * step + least
    except (msgspec.DecodeError, ValueError, RecursionError, UnicodeDecodeError) as error:
        raise BadSamples(f"these are no kept windows: {error}") from error
    return SetWindows(kept.side, kept.window_s, kept.asked, x)


def as_kept(windows: SetWindows) -> SetWindows:
    """The windows as they are found again: what is learned from."""
    return windows_from_bytes(windows_to_bytes(windows, ""), "")
