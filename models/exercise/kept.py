"""A set's windows as they are kept: four bits a feature, so that a retrain needs no samples.

Every feature of a set is measured from its least to its largest value in 15 steps: rounding adds
about a hundredth to the variance inside of a set. What is learned is always learned from these
numbers, whether they were just computed or found again: the bytes of a model cannot tell.
"""

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats16, Floats32
from models.codec import FLOAT16_MAX
from models.compiled import address_of, compiled
from models.exercise.examples import SetWindows
from schemas.errors import BadSamples

VERSION = 2  # of `muvr_kept_version` in compiled/kept.c
STEPS = 15
WIDER = 1.002  # float16 rounds: the steps reach a little past the largest value


@dataclass(frozen=True, slots=True)
class KeptWindows:
    """Windows of one set: least + step · count, in every feature.

    Attributes:
        side: the wrist, "unknown" where nobody said.
        window_s: seconds of movement that each window stands for.
        asked: how many, from the first on, are the windows that a service would answer for.
        rows: m, of all.
        least, step: float16 (d,).
        pairs: uint8 ((m + 1) // 2, d), counts below 16: of an even row, and 16 times those of the
            row behind it.
    """

    side: str
    window_s: float
    asked: int
    rows: int
    least: Floats16
    step: Floats16
    pairs: NDArray[np.uint8]

    @property
    def x(self) -> Floats32:
        """The features of all windows, float32 (m, d)."""
        return self._first(self.rows)

    @property
    def asked_x(self) -> Floats32:
        """Those of the windows that a service would answer for, float32 (asked, d)."""
        return self._first(self.asked)

    def _first(self, rows: int) -> Floats32:
        x = np.empty((rows, len(self.least)), dtype=np.float32)
        x[::2] = self.pairs[: (rows + 1) // 2] & STEPS
        x[1::2] = self.pairs[: rows // 2] >> 4
        x *= self.step.astype(np.float32)
        x += self.least.astype(np.float32)
        return x


class _Blob(msgspec.Struct, array_like=True, tag="muvr-windows-2"):
    of: str
    side: str
    window_s: float
    asked: int
    rows: int
    least: bytes
    step: bytes
    counts: bytes


def keep(windows: SetWindows) -> KeptWindows:
    """The kept form of a set's windows; that there are none is kept as well.

    >>> x = np.array([[0.0, 5.0], [1.0, 5.0]], np.float32)
    >>> keep(SetWindows("left", 1.0, 2, x)).x.round(2).tolist()
    [[0.0, 5.0], [1.0, 5.0]]

    Raises:
        NoKernel: it was not compiled.
    """
    x = np.ascontiguousarray(windows.x, dtype=np.float32)
    if not len(x):
        x = x[:, :0]
    rows, size = x.shape
    least, step = _grid(x) if rows else np.empty((2, 0), "<f2")
    origin, unit = least.astype(np.float32), step.astype(np.float32)
    unit[step <= 0] = 1  # a feature that does not change: every count is nought
    pairs = np.empty(((rows + 1) // 2, size), dtype=np.uint8)
    addresses = [address_of(one) for one in (origin, unit, pairs)]
    kernel().muvr_kept_pack(address_of(x), rows, size, *addresses)
    return KeptWindows(windows.side, windows.window_s, windows.asked, rows, least, step, pairs)


def _grid(x: Floats32) -> tuple[Floats16, Floats16]:
    """The least value of every feature, and the step from one count to the next."""
    low, high = np.clip([x.min(axis=0), x.max(axis=0)], -FLOAT16_MAX, FLOAT16_MAX)
    least = low.astype("<f2")
    return least, ((high - least) * np.float32(WIDER / STEPS)).astype("<f2")


def windows_to_bytes(windows: KeptWindows, of: str) -> bytes:
    """What is stored of kept windows.

    Args:
        windows: of one set.
        of: names everything that they were computed from.
    """
    blob = _Blob(
        of=of,
        side=windows.side,
        window_s=windows.window_s,
        asked=windows.asked,
        rows=windows.rows,
        least=windows.least.tobytes(),
        step=windows.step.tobytes(),
        counts=windows.pairs.tobytes(),
    )
    return msgspec.msgpack.encode(blob)


def windows_from_bytes(blob: bytes, of: str) -> KeptWindows:
    """The windows of `windows_to_bytes`.

    Raises:
        BadSamples: anything else, or windows of something else.
    """
    try:
        kept = msgspec.msgpack.decode(blob, type=_Blob)
        if kept.of != of:
            raise BadSamples(f"kept windows are of {kept.of!r}, not {of!r}")
        if not 0 <= kept.asked <= kept.rows:
            raise BadSamples(f"{kept.asked} of {kept.rows} kept windows are asked about")
        least, step = np.frombuffer(kept.least, "<f2"), np.frombuffer(kept.step, "<f2")
        pairs = np.frombuffer(kept.counts, np.uint8).reshape((kept.rows + 1) // 2, len(least))
        step = step.reshape(least.shape)
    except (msgspec.DecodeError, ValueError, RecursionError, UnicodeDecodeError) as error:
        raise BadSamples(f"these are no kept windows: {error}") from error
    return KeptWindows(kept.side, kept.window_s, kept.asked, kept.rows, least, step, pairs)


@lru_cache(maxsize=1)
def kernel() -> ctypes.CDLL:
    """The compiled code that packs windows and multiplies them; raises `NoKernel`."""
    library = compiled("kept", VERSION, ctypes.CDLL)
    pointer, number = ctypes.c_void_p, ctypes.c_long
    arrays, shape = (pointer,) * 3, (number,) * 3
    library.muvr_kept_pack.argtypes = (pointer, *shape[:2], *arrays)
    library.muvr_kept_pack.restype = None
    library.muvr_kept_products.argtypes = (number, *arrays, *shape, *arrays)
    library.muvr_kept_products.restype = None
    return library
