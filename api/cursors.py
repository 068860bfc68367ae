"""Keyset pagination with opaque cursors, signed so that clients cannot forge positions.

A list reads one row more than its page holds, from the position of its cursor on; so all pages take
the same time, and do not shift when rows are added before them.
"""

import base64
import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import Field

from schemas.errors import BadCursor

T = TypeVar("T")
MAX_PAGE_ROWS = 200
_MAC_BYTES = 12

PageLimit = Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS, description="rows of a page at most")]
PageCursor = Annotated[
    str | None, Query(max_length=200, description="`cursor` of the page before; left out: begin")
]
NextPage = Annotated[
    str | None, Field(description="send it to get the next page; null on the last")
]


class Cursors:
    """Seals and unseals positions.

    >>> cursors = Cursors(b"k" * 32)
    >>> cursors.unseal(cursors.seal("0199f3c2"))
    '0199f3c2'
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, position: str) -> str:
        """A position as an opaque string."""
        body = position.encode()
        return base64.urlsafe_b64encode(self._mac(body) + body).decode().rstrip("=")

    def unseal(self, cursor: str) -> str:
        """The position in a cursor.

        Raises:
            BadCursor: it was not sealed here.
        """
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            raw = base64.b64decode(padded, altchars=b"-_", validate=True)
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(body)):
                raise ValueError("its seal is broken")
            return body.decode()
        except ValueError as problem:
            raise BadCursor(
                "The cursor is not one of this server's; begin without one.",
                field="cursor",
                value=cursor,
            ) from problem

    def unseal_for(self, prefix: str, cursor: str) -> str:
        """The position after a prefix that names the list.

        Raises:
            BadCursor: it was not sealed here, or for another list.
        """
        position = self.unseal(cursor)
        if not position.startswith(prefix):
            raise BadCursor("The cursor is of another list.", field="cursor", value=cursor)
        return position[len(prefix) :]

    def unseal_id(self, prefix: str, cursor: str | None) -> UUID | None:
        """The id after a prefix that names the list; None without a cursor.

        Raises:
            BadCursor: it was not sealed here, or for another list.
        """
        return id_in(self.unseal_for(prefix, cursor), cursor) if cursor else None

    def page(
        self, prefix: str, rows: Sequence[T], limit: int, position: Callable[[T], object]
    ) -> tuple[Sequence[T], str | None]:
        """The rows of a page, and the cursor of the next one; None on the last.

        Args:
            prefix: names the list.
            rows: those after the page before, one more than `limit` where there are so many.
            limit: rows of the page.
            position: of a row in its list.

        >>> Cursors(b"k" * 32).page("numbers:", [7, 8], 2, int)
        ([7, 8], None)
        """
        page = rows[:limit]
        more = len(rows) > limit
        return page, self.seal(f"{prefix}{position(page[-1])}") if more else None

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_MAC_BYTES]


def id_in(position: str, cursor: str) -> UUID:
    """The id that a position is.

    Raises:
        BadCursor: it is none: the cursor is of another list.
    """
    try:
        return UUID(position)
    except ValueError as problem:
        raise BadCursor("The cursor is of another list.", field="cursor", value=cursor) from problem
