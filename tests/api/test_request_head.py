"""What is read of a request's headers."""

import pytest

from api.request_head import RequestHead


@pytest.mark.parametrize("first", [0, 1])
def test_headers_with_both_framings_count_as_having_a_body(first: int) -> None:
    """In either order: otherwise the body would bypass the size limit and the timeout."""
    framing = [(b"transfer-encoding", b"chunked"), (b"content-length", b"0")]
    head = RequestHead.of({"headers": [framing[first], framing[1 - first]]})
    assert (head.body_bytes, head.has_body) == (0, True)


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [
        (b"a" * 8, True),
        (b"abcd_EF-9" * 7 + b"z", True),  # 64 characters
        (b"a" * 7, False),
        (b"a" * 65, False),
        (b"a b<script>", False),
    ],
    ids=["shortest", "longest", "shorter", "longer", "other characters"],
)
def test_a_request_id_of_the_client_is_kept_if_it_is_harmless(sent: bytes, *, is_kept: bool):
    request_id = RequestHead.of({"headers": [(b"x-request-id", sent)]}).request_id
    assert (request_id == sent.decode()) == is_kept
    assert is_kept or len(request_id) == 20
