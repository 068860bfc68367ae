"""Deltas split into raw low bits and bytes for zstd, in one call of compiled code.

`compiled/codec.c`, which `make` compiles. numpy needed fourteen array operations for it, a tenth of
the cost of a chunk in the service, where caches are cold.
"""

import ctypes
from functools import lru_cache

import numpy as np

from models.arrays import Ints16
from models.compiled import address_of, compiled

VERSION = 1  # of `muvr_codec_version` in compiled/codec.c
LOW_BITS_MAX = 8


def split(counts: Ints16) -> tuple[bytes, memoryview]:
    r"""What a blob begins with, and the bytes, one a delta, that zstd is to code.

    Args:
        counts: int16 (n, 3), n ≥ 1.

    >>> head, high = split(np.array([[1, 2, 3], [1, 2, 4]], dtype=np.int16))
    >>> head, bytes(high)
    (b'\x00', b'\x02\x00\x04\x00\x06\x02')

    Raises:
        NoKernel: it was not compiled.
    """
    counts = np.ascontiguousarray(counts)
    values = counts.size
    plane_bytes = (values + 7) // 8
    head_at = 2 * values + 8 * plane_bytes  # behind the room of the compiled code
    high_at = head_at + 1 + LOW_BITS_MAX * plane_bytes
    room = bytearray(high_at + values)
    at = ctypes.addressof(ctypes.c_char.from_buffer(room))
    low_bits = _compiled().muvr_codec_split(
        address_of(counts), len(counts), at + high_at, at + head_at + 1, at
    )
    room[head_at] = low_bits
    head = bytes(room[head_at : head_at + 1 + low_bits * plane_bytes])
    return head, memoryview(room)[high_at:]


@lru_cache(maxsize=1)
def _compiled() -> ctypes.PyDLL:
    """The compiled code; raises `NoKernel`."""
    library = compiled("codec", VERSION, ctypes.PyDLL)
    pointer = ctypes.c_void_p
    library.muvr_codec_split.argtypes = (pointer, ctypes.c_long, pointer, pointer, pointer)
    return library
