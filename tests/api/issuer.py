"""An issuer of tokens outside, with keys that it publishes."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.config import Auth


class Issuer:
    """An outside issuer that signs tokens and publishes keys at a real address."""

    def __init__(self) -> None:
        self.asked = 0
        self.moved = False
        self.padding = b""
        self.keys: dict[str, Ed25519PrivateKey] = {}

    def key_set(self) -> bytes:
        to_jwk = jwt.algorithms.OKPAlgorithm.to_jwk
        keys = [
            {**to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "EdDSA"}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": keys}).encode() + self.padding

    def sign(self, kid: str, **changes: object) -> str:
        claims = {
            "iss": "https://id.example",
            "aud": "muvr",
            "sub": "anna",
            "exp": int(time.time()) + 60,
            "scope": "predict operate",
        }
        return jwt.encode({**claims, **changes}, self.keys[kid], "EdDSA", headers={"kid": kid})

    @contextmanager
    def published(self) -> Iterator[str]:
        """Serve the key set during the block; its URL."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                moved = issuer.moved and self.path == "/keys"
                self.send_response(302 if moved else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(issuer.key_set())

            def log_message(self, *words: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}/keys"
            server.shutdown()
            thread.join()


def outside(source: str) -> Auth:
    return Auth(outside_jwks=source, outside_issuer="https://id.example", outside_audience="muvr")
