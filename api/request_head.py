"""The head of a request: its headers by name, the length of its body, its id."""

import random
import re
from collections.abc import Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.types import Scope

from api.scope_keys import HEADERS

_ID = re.compile(rb"^[A-Za-z0-9_\-]{8,64}$")


class RequestHead(NamedTuple):
    """What the service needs to know of every request's headers.

    Attributes:
        body_bytes: the length of the body; 0 for a chunked one, which has none.
        has_body: whether there is a body.
        request_id: the client's own, or a random one where that is missing or malformed.
    """

    body_bytes: int
    has_body: bool
    request_id: str

    @classmethod
    def of(cls, scope: Scope) -> "RequestHead":
        """Read the headers of a request, once; `header_of` finds them from then on."""
        headers = scope[HEADERS] = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        body_bytes = int(length) if length.isdigit() else 0
        has_body = body_bytes > 0 or b"transfer-encoding" in headers
        request_id = headers.get(b"x-request-id")
        if request_id and _ID.match(request_id):
            return cls(body_bytes, has_body, request_id.decode())
        # It must be unique, but not hard to guess: it is no secret.
        return cls(body_bytes, has_body, f"{random.getrandbits(80):020x}")


def header_of(request: Request, name: bytes) -> str:
    """The value of a header, "" if there is none. Starlette searches all headers at each access."""
    return request.scope[HEADERS].get(name, b"").decode("latin-1")


def has_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request has a body that is not empty; of a chunked one that is not known yet."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
