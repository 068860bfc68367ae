"""Content-Type headers: which media type they name."""

import pytest

from ingest.media_types import CBOR, CBOR_SEQUENCE, JSON, media_type_of
from schemas.errors import UnsupportedMedia


@pytest.mark.parametrize(
    "header", [CBOR, "APPLICATION/cbor", f" {CBOR} ; charset=utf-8", f"{CBOR};"]
)
def test_case_blanks_and_parameters_do_not_count(header: str):
    assert media_type_of(header, (JSON, CBOR)) == CBOR


@pytest.mark.parametrize("header", ["", "text/plain", JSON, f"{CBOR}x; {CBOR}"])
def test_a_refusal_lists_what_is_known(header: str):
    with pytest.raises(UnsupportedMedia, match=f"send {CBOR_SEQUENCE} or {CBOR}$") as refused:
        media_type_of(header, (CBOR_SEQUENCE, CBOR))
    assert (refused.value.field, refused.value.value) == ("Content-Type", header)
