"""Model bytes: a zip of arrays (.npz) with a manifest, without pickle and deterministic."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import BadModelBytes

MANIFEST = "manifest"
MAX_BYTES = 64 * 2**20
FLOAT16_MAX: Final = 6e4  # a little less than what float16 holds
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DECODE_ERRORS = (
    ValueError,
    KeyError,
    EOFError,
    OSError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)


def pack(
    tag: str,
    meta: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    compress: bool = True,
) -> bytes:
    """A deterministic .npz of `arrays`, with `meta` and the tag as JSON beside them.

    Args:
        tag: format and version, "exercise-1".
        meta: what JSON can hold.
        arrays: name to array of numbers or strings, of any shape; no objects. A scalar is kept
            as (1,), (0,) as it is.
        compress: False for megabytes of full-width numbers: deflating them takes 90 ms a megabyte
            and saves a tenth.

    >>> meta, arrays = unpack(pack("t-1", {"a": 1}, {"x": np.arange(3)}), "t-1")
    >>> meta, arrays["x"].tolist()
    ({'a': 1}, [0, 1, 2])
    """
    manifest = json.dumps({"tag": tag, "meta": dict(meta)}, sort_keys=True, ensure_ascii=True)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, MANIFEST, np.frombuffer(manifest.encode(), dtype=np.uint8), compress=compress)
        for name in sorted(arrays):
            _add(archive, name, np.asarray(arrays[name]), compress=compress)
    return out.getvalue()


def unpack(blob: bytes, tag: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Manifest and arrays of bytes that `pack` made under the same tag; of a scalar (1,).

    Raises:
        BadModelBytes: junk, another tag, pickled objects, or more than 64 MiB unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > MAX_BYTES:
                raise BadModelBytes(f"model bytes claim {size} bytes unpacked")
            arrays = {
                entry.filename.removesuffix(".npy"): _read(archive, entry)
                for entry in archive.infolist()
            }
        manifest = json.loads(arrays.pop(MANIFEST).tobytes())
        stored_tag, meta = manifest["tag"], dict(manifest["meta"])
    except (*_DECODE_ERRORS, TypeError, AttributeError) as error:
        raise BadModelBytes(f"not model bytes: {type(error).__name__}: {error}") from error
    if stored_tag != tag:
        raise BadModelBytes(f"model bytes of {stored_tag!r}, {tag!r} is expected")
    return meta, arrays


def _add(archive: zipfile.ZipFile, name: str, array: NDArray[Any], *, compress: bool) -> None:
    raw = io.BytesIO()
    np.lib.format.write_array(raw, np.ascontiguousarray(array), allow_pickle=False)
    entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    archive.writestr(entry, raw.getvalue(), compresslevel=6)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
