"""Tokens of a person that a service must not accept."""

import base64
import json
import time
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.api.conftest import Person
from tests.api.logins import key_ring

BAD_TOKENS = ("no", "junk", "expired", "tampered", "alg-none", "foreign-key", "hs256", "refresh")


def forged(person: Person, kind: str) -> str | None:
    """A token that must not be accepted."""
    good = person.tokens["access_token"]
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    keys = key_ring(person.service).keys
    headers = {"kid": keys.kid, "typ": "at+jwt"}
    match kind:
        case "no":
            return None
        case "junk":
            return "not.a.token"
        case "expired":
            old = {**claims, "iat": claims["iat"] - 7200, "exp": int(time.time()) - 60}
            return jwt.encode(old, keys.signing, "EdDSA", headers=headers)
        case "tampered":
            more = {**claims, "sub": str(uuid.uuid4())}
            raw = base64.urlsafe_b64encode(json.dumps(more).encode()).decode().rstrip("=")
            return f"{head}.{raw}.{signature}"
        case "alg-none":
            return jwt.encode(claims, None, "none", headers=headers)
        case "foreign-key":
            return jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers=headers)
        case "hs256":  # the public key used as a shared secret
            secret = keys.trusted[keys.kid].public_bytes_raw()
            return jwt.encode(claims, secret + secret, "HS256", headers=headers)
        case "refresh":
            return person.tokens["refresh_token"]
    raise AssertionError(kind)
