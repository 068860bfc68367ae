"""The peer of `bench.serve`: an application that does nothing but answer."""

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import psutil

from muvr.checkout import CHECKOUT
from store.node.preflight import free_ports

PEER = "a bare FastAPI ping: one async function, one worker, no log, no limits"
PING = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/ping")
async def ping() -> dict[str, bool]:
    return {"ok": True}
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False,
            log_level="warning")
"""


@contextmanager
def bare_ping() -> Generator[tuple[psutil.Process, int]]:
    """The bare application as a process of its own, and its port."""
    port = free_ports(1)[0]
    with subprocess.Popen([sys.executable, "-c", PING, str(port)], cwd=CHECKOUT) as process:
        try:
            _await(f"http://127.0.0.1:{port}/ping")
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()


def _await(url: str, within_s: float = 30.0) -> None:
    until = time.monotonic() + within_s
    while True:
        try:
            httpx.get(url, timeout=2, trust_env=False).raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
