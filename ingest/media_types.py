"""The media types of bodies, and which of them a Content-Type header names."""

from schemas.errors import UnsupportedMedia

CBOR, CBOR_SEQUENCE, JSON = "application/cbor", "application/cbor-seq", "application/json"


def media_type_of(header: str, known: tuple[str, ...]) -> str:
    """The media type that a Content-Type header names: in lower case, without parameters.

    >>> media_type_of("Application/JSON; charset=utf-8", (CBOR, JSON))
    'application/json'

    Raises:
        UnsupportedMedia: none of `known`.
    """
    if header in known:  # as nearly every client sends it
        return header
    named = header.partition(";")[0].strip().lower()
    if named not in known:
        raise UnsupportedMedia(
            f"Content-Type {header!r} is not known here; send {' or '.join(known)}",
            field="Content-Type",
            value=header,
        )
    return named
