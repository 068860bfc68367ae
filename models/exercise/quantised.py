"""A set's windows quantised to four bits a feature, stored so that a retrain needs no samples.

Every feature of a set is quantised between its minimum and its maximum in 15 steps; rounding adds
about a hundredth to the variance within a set. Models are always trained on the quantised windows,
whether these were just computed or read back, so both give the same bytes.
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

VERSION = 4  # of `muvr_quantised_version` in compiled/quantised.c
MAX_COUNT = 15
STEP_MARGIN = 1.002  # float16 rounds: the steps reach a little past the maximum


@dataclass(frozen=True, slots=True)
class QuantisedWindows:
    """Windows of one set: minimum + step · count, in every feature.

    Attributes:
        side: the wrist, "unknown" where it is not known.
        window_s: seconds of movement that each window stands for.
        evaluation_rows: as in `SetWindows`.
        rows: m, the number of windows.
        minimum, step: float16 (d,).
        packed: uint8 ((m + 1) // 2, d), counts of two rows a byte: of the even row in the low four
            bits, of the next in the high ones.
    """

    side: str
    window_s: float
    evaluation_rows: int
    rows: int
    minimum: Floats16
    step: Floats16
    packed: NDArray[np.uint8]

    @property
    def x(self) -> Floats32:
        """The features of all windows, float32 (m, d)."""
        return self._first(self.rows)

    @property
    def evaluation_x(self) -> Floats32:
        """The features of the windows for evaluation, float32 (evaluation_rows, d)."""
        return self._first(self.evaluation_rows)

    def _first(self, rows: int) -> Floats32:
        x = np.empty((rows, len(self.minimum)), dtype=np.float32)
        x[::2] = self.packed[: (rows + 1) // 2] & MAX_COUNT
        x[1::2] = self.packed[: rows // 2] >> 4
        x *= self.step.astype(np.float32)
        x += self.minimum.astype(np.float32)
        return x


class _Blob(msgspec.Struct, array_like=True, tag="muvr-windows-2"):
    recipe: str
    side: str
    window_s: float
    evaluation_rows: int
    rows: int
    minimum: bytes
    step: bytes
    counts: bytes


def quantise(windows: SetWindows) -> QuantisedWindows:
    """The quantised windows of a set, which may have none.

    >>> x = np.array([[0.0, 5.0], [1.0, 5.0]], np.float32)
    >>> quantise(SetWindows("left", 1.0, 2, x)).x.round(2).tolist()
    [[0.0, 5.0], [1.0, 5.0]]

    Raises:
        NoKernel: it was not compiled.
    """
    x = np.ascontiguousarray(windows.x, dtype=np.float32)
    if not len(x):
        x = x[:, :0]
    rows, size = x.shape
    minimum, step = _minimum_and_step(x) if rows else np.empty((2, 0), "<f2")
    origin, unit = minimum.astype(np.float32), step.astype(np.float32)
    unit[step <= 0] = 1  # a constant feature: every count is 0
    packed = np.empty(((rows + 1) // 2, size), dtype=np.uint8)
    addresses = [address_of(array) for array in (origin, unit, packed)]
    kernel().muvr_quantised_pack(address_of(x), rows, size, *addresses)
    return QuantisedWindows(
        windows.side, windows.window_s, windows.evaluation_rows, rows, minimum, step, packed
    )


def _minimum_and_step(x: Floats32) -> tuple[Floats16, Floats16]:
    """The minimum of every feature, and the step from one count to the next."""
    low, high = np.clip([x.min(axis=0), x.max(axis=0)], -FLOAT16_MAX, FLOAT16_MAX)
    minimum = low.astype("<f2")
    return minimum, ((high - minimum) * np.float32(STEP_MARGIN / MAX_COUNT)).astype("<f2")


def windows_to_bytes(windows: QuantisedWindows, recipe: str) -> bytes:
    """The stored form of quantised windows.

    Args:
        windows: of one set.
        recipe: identifies the set's revision and how windows were computed.
    """
    blob = _Blob(
        recipe=recipe,
        side=windows.side,
        window_s=windows.window_s,
        evaluation_rows=windows.evaluation_rows,
        rows=windows.rows,
        minimum=windows.minimum.tobytes(),
        step=windows.step.tobytes(),
        counts=windows.packed.tobytes(),
    )
    return msgspec.msgpack.encode(blob)


def windows_from_bytes(blob: bytes, recipe: str) -> QuantisedWindows:
    """The windows of `windows_to_bytes`.

    Raises:
        BadSamples: anything else, or windows of another recipe.
    """
    try:
        stored = msgspec.msgpack.decode(blob, type=_Blob)
        if stored.recipe != recipe:
            raise BadSamples(f"stored windows are of {stored.recipe!r}, not {recipe!r}")
        if not 0 <= stored.evaluation_rows <= stored.rows:
            raise BadSamples(f"{stored.evaluation_rows} of {stored.rows} stored windows are used")
        minimum, step = np.frombuffer(stored.minimum, "<f2"), np.frombuffer(stored.step, "<f2")
        packed = np.frombuffer(stored.counts, np.uint8).reshape(
            (stored.rows + 1) // 2, len(minimum)
        )
        step = step.reshape(minimum.shape)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadSamples(f"these are no stored windows: {error}") from error
    return QuantisedWindows(
        stored.side, stored.window_s, stored.evaluation_rows, stored.rows, minimum, step, packed
    )


@lru_cache(maxsize=1)
def kernel() -> ctypes.CDLL:
    """The compiled code that packs windows and multiplies them; raises `NoKernel`."""
    library = compiled("quantised", VERSION, ctypes.CDLL)
    pointer, number = ctypes.c_void_p, ctypes.c_long
    arrays, shape = (pointer,) * 3, (number,) * 3
    library.muvr_quantised_pack.argtypes = (pointer, *shape[:2], *arrays)
    library.muvr_quantised_pack.restype = None
    library.muvr_quantised_products.argtypes = (number, *arrays, *shape, *arrays)
    library.muvr_quantised_products.restype = None
    return library
