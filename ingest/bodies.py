"""Decompresses request bodies, within size limits."""

import zlib

import zstandard

from schemas.config import Limits
from schemas.errors import BadChunk, TooLarge, UnsupportedMedia

MB = 1 << 20
_WINDOW_MAX = 1 << 23  # zstd may ask for 2 GiB of history; 8 MiB is what the format recommends


def decode_body(body: bytes, encoding: str | None, limits: Limits) -> bytes:
    """The body after removing its Content-Encoding.

    Args:
        body: as received.
        encoding: the header: "zstd", "gzip" or "identity"; None or "" where there is none.
        limits: `decoded_mb` is never exceeded, whatever the frame claims.

    Raises:
        TooLarge: before or after decompression.
        UnsupportedMedia: another encoding.
        BadChunk: bytes that are not of this encoding, cut short, or followed by others.
    """
    if len(body) > limits.body_bytes:
        raise too_large("body", limits.body_mb)
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    most = limits.decoded_bytes
    if name == "zstd":
        return _unzstd(body, most)
    if name == "gzip":
        return _gunzip(body, most)
    raise UnsupportedMedia(
        f"Content-Encoding {encoding!r} is not known; zstd, gzip and none are",
        field="Content-Encoding",
        value=encoding,
    )


def too_large(what: str, cap_mb: float) -> TooLarge:
    """The error with the limit."""
    return TooLarge(f"the {what} is over {cap_mb:g} MiB", field=what)


def _unzstd(body: bytes, most: int) -> bytes:
    """Decompress one zstd frame. Its declared size is checked first; a frame may declare none."""
    tool = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX)
    try:
        claimed = zstandard.frame_content_size(body)
        if claimed > most or (claimed < 0 and _is_longer(tool, body, most)):
            raise too_large("decompressed body", most / MB)
        return tool.decompress(body, max_output_size=most, allow_extra_data=False)
    except zstandard.ZstdError as problem:
        raise _undecodable("zstd", str(problem)) from problem


def _is_longer(tool: zstandard.ZstdDecompressor, body: bytes, most: int) -> bool:
    return len(tool.stream_reader(body).read(most + 1)) > most


def _gunzip(body: bytes, most: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        out = stream.decompress(body, most + 1)
    except zlib.error as problem:
        raise _undecodable("gzip", str(problem)) from problem
    if len(out) > most:
        raise too_large("decompressed body", most / MB)
    if not stream.eof or stream.unused_data:
        raise _undecodable("gzip", "cut short, or followed by other bytes")
    return out


def _undecodable(encoding: str, why: str) -> BadChunk:
    return BadChunk(f"the body is not {encoding}: {why}", field="Content-Encoding", value=encoding)
