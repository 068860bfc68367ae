"""Opaque cursors of lists: signed, so that nobody walks where a list did not lead."""

import base64
import binascii
import hmac

from schemas.errors import BadCursor

_MAC_BYTES = 12


class Cursors:
    """Seals and unseals positions.

    >>> cursors = Cursors(b"k" * 32)
    >>> cursors.unseal(cursors.seal("0199f3c2"))
    '0199f3c2'
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, position: str) -> str:
        """A position as an opaque text."""
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
        except (ValueError, binascii.Error, UnicodeError) as problem:
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

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_MAC_BYTES]
