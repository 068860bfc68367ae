"""Mutated bodies into every decoder of untrusted input.

Mutation knows the structure of a body: it changes fields, keys and lengths of valid bodies and
packs them again, so that most cases reach past the parser. The rest are broken bytes.
"""

import gzip
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cbor2
import msgspec
import numpy as np
import zstandard

from api.chunk_items import items_in
from bench.spar_bodies import FIRST_NS
from ingest.bodies import decode_body
from ingest.chunks import canonical_body, decode_chunk
from ingest.classify_body import read_recording
from ingest.edge_impulse import read_acquisition
from ingest.media_types import CBOR, JSON
from models.signal.codec import decode_samples, encode_samples
from models.signal.pieces import Piece
from models.signal.windows import RATE_HZ
from schemas.config import Limits
from schemas.errors import BadInput, BadModelBytes
from schemas.times import NS_PER_S

BodyDecoder = Callable[[bytes], object]
Decoders = Callable[[], Mapping[str, BodyDecoder]]
LIMITS = Limits()
_SMALL = Limits(decoded_mb=0.25)
_HALF = "\ue000"  # stands for half a surrogate pair, which no library agrees to write
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 8193, 2**31, 2**32, 2**63, 2**64, -(2**63), 2**70,
    10**5000,
    0.0, -0.0, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"),
    "", "g", "\u0000", "x" * 300, "\ud7ff", _HALF, b"", b"\x00" * 7, [], {}, [[]], [1, 2],
    [None] * 3, {"v": 1}, [2**31] * 4, "2026-11-21T10:00:00Z", "2026-13-99T99:99:99Z",
)  # fmt: skip


class AttackResult(NamedTuple):
    """Results of an attack.

    Attributes:
        crashes: number of errors that are not one of ours, by decoder and type.
        growth_mb: growth of the process's peak resident size since the first body. It is meaningful
            only in a fresh process: see `attack_in_subprocess`.
    """

    cases: int
    accepted: int
    crashes: Mapping[str, int]
    growth_mb: float


def attack_in_subprocess(
    cases: int, seed: int, decoders_of: Decoders | None = None
) -> AttackResult:
    """Attack in a fresh process, so that its peak memory is that of the attack."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as process:
        return process.submit(attack, cases, seed, decoders_of).result()


def attack(cases: int, seed: int, decoders_of: Decoders | None = None) -> AttackResult:
    """Feed mutated bodies to all decoders in turn.

    Args:
        cases: how many bodies.
        seed: the same bodies for the same number.
        decoders_of: gives the decoders by the names of their bodies; by default `public_decoders`.
    """
    rng = random.Random(seed)
    seeds = _valid_bodies(np.random.default_rng(seed))
    decoders = (decoders_of or public_decoders)()
    before_mb = _peak_mb()
    for name, bodies in seeds.items():
        for body in bodies:
            decoders[name](body)  # a body must be valid before it is mutated
    names = sorted(seeds)
    crashes: Counter[str] = Counter()
    accepted = 0
    for number in range(cases):
        name = names[number % len(names)]
        body = mutated(rng.choice(seeds[name]), name, rng)
        try:
            decoders[name](body)
            accepted += 1
        except (BadInput, BadModelBytes):
            pass
        except Exception as problem:  # noqa: BLE001 (that is what is looked for)
            crashes[f"{name}: {type(problem).__name__}: {str(problem)[:80]}"] += 1
    return AttackResult(cases, accepted, dict(crashes), _peak_mb() - before_mb)


def mutated(body: bytes, name: str, rng: random.Random) -> bytes:
    """A body that differs from a valid one in structure or in bytes."""
    if name.startswith(("zstd", "gzip")) and rng.random() < 0.5:
        inner = _broken(_unpack(name, body), rng)
        return _pack(name, inner * (200 if rng.random() < 0.01 else 1))
    if "cbor" in name and rng.random() < 0.6:
        return _twisted(cbor2.loads(body), _cbor, rng)
    if "json" in name and rng.random() < 0.6:
        return _twisted(msgspec.json.decode(body), _halved_json, rng)
    return _broken(body, rng)


def public_decoders() -> dict[str, BodyDecoder]:
    """Every decoder of untrusted input, by the name of its bodies."""

    def inflated(encoding: str) -> BodyDecoder:
        """The decoder of chunks that come compressed."""
        return lambda body: decode_chunk(decode_body(body, encoding, _SMALL), CBOR, LIMITS)

    return {
        "cbor chunk": lambda body: decode_chunk(body, CBOR, LIMITS),
        "json chunk": lambda body: decode_chunk(body, JSON, LIMITS),
        "zstd chunk": inflated("zstd"),
        "gzip chunk": inflated("gzip"),
        "cbor question": lambda body: read_recording(body, CBOR, LIMITS),
        "json question": lambda body: read_recording(body, JSON, LIMITS),
        "cbor acquisition": lambda body: read_acquisition(body, CBOR, None, LIMITS),
        "json acquisition": lambda body: read_acquisition(body, JSON, None, LIMITS),
        "cbor sequence": lambda body: list(items_in(body)),
        "samples": lambda body: decode_samples(body, 64),
    }


def _valid_bodies(noise: np.random.Generator) -> dict[str, Sequence[bytes]]:
    """Small bodies of every form; small ones reach more states a second."""
    acc, gyro = (_piece(noise, unit) for unit in ("g", "rad/s"))
    drifting = _with_times(acc)
    chunks = [canonical_body(piece) for piece in (acc, gyro, drifting)]
    readable = [_json(_readable(piece)) for piece in (acc, gyro, drifting)]
    both = {"streams": {"acc": chunks[0], "gyro": chunks[1]}, "side": "left"}
    both_json = {"streams": {"acc": _readable(acc), "gyro": [_readable(gyro)]}, "side": "right"}
    items = [
        cbor2.dumps({"stream": "acc", "seq": i, "chunk": chunk}) for i, chunk in enumerate(chunks)
    ]
    return {
        "cbor chunk": chunks,
        "json chunk": readable,
        "zstd chunk": [_pack("zstd", chunk) for chunk in chunks],
        "gzip chunk": [_pack("gzip", chunk) for chunk in chunks],
        "cbor question": [cbor2.dumps(both), chunks[0]],
        "json question": [_json(both_json), readable[0]],
        "cbor acquisition": [cbor2.dumps(_acquisition(acc, gyro))],
        "json acquisition": [_json(_acquisition(acc, gyro))],
        "cbor sequence": [b"".join(items), items[0]],
        "samples": [encode_samples(acc.counts)],
    }


def _piece(noise: np.random.Generator, unit: str) -> Piece:
    counts = noise.integers(-3000, 3000, size=(64, 3)).astype(np.int16)
    return Piece(FIRST_NS, RATE_HZ, unit, 1 / 4096, counts)


def _with_times(piece: Piece) -> Piece:
    t_ms = np.arange(len(piece.counts), dtype=np.int32) * 20
    return Piece(piece.t0_ns, piece.rate_hz, piece.unit, piece.scale, piece.counts, t_ms)


def _acquisition(acc: Piece, gyro: Piece) -> dict[str, Any]:
    """Both sensors as Edge Impulse writes them."""
    sensors = [
        {"name": name + axis, "units": unit}
        for name, unit in (("acc", acc.unit), ("gyr", gyro.unit))
        for axis in "XYZ"
    ]
    values = np.hstack([acc.counts * acc.scale, gyro.counts * gyro.scale]).round(4).tolist()
    payload = {"interval_ms": 20, "sensors": sensors, "values": values}
    return {"protected": {"iat": FIRST_NS // NS_PER_S}, "signature": "0", "payload": payload}


def _readable(piece: Piece) -> dict[str, Any]:
    axes = dict(zip("xyz", (piece.counts.T * piece.scale).round(4).tolist(), strict=True))
    times = {} if piece.t_ms is None else {"t_ms": piece.t_ms.tolist()}
    fixed = {"t0": "2026-03-02T08:00:00Z", "rate_hz": piece.rate_hz, "unit": piece.unit}
    return {**fixed, **axes, **times}


def _twisted(value: Any, pack: Callable[[Any], bytes], rng: random.Random) -> bytes:
    """Change one to three places of a structure."""
    try:
        for _ in range(rng.randint(1, 3)):
            value = _twist(value, rng)
        return pack(value)
    except (TypeError, ValueError, OverflowError):
        return _broken(pack({}), rng)  # no form has it: a NaN in JSON, half of 5,000 digits


def _twist(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        changed = dict(value)
        act = rng.random()
        if act < 0.15:
            del changed[key]
        elif act < 0.25:
            changed[rng.choice(["", "v", "t_ms", "streams", key * 2, 1, -1])] = changed[key]
        elif act < 0.6:
            changed[key] = rng.choice(ODD_VALUES)
        else:
            changed[key] = _twist(changed[key], rng)
        return changed
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        return [*value[:at], rng.choice(ODD_VALUES), *value[at + rng.randint(0, 2) :]]
    if isinstance(value, bytes):
        return _broken(value, rng)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return rng.choice([-value, value + 1, value * 2, value * 1e30, float(value), str(value)])
    return rng.choice(ODD_VALUES)


def _broken(body: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat, insert or overwrite bytes."""
    changed = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        act = rng.randrange(5)
        if act == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif act == 1:
            del changed[at : at + rng.randint(1, 16)]
        elif act == 2:
            changed[at:at] = changed[at : at + rng.randint(1, 64)]
        elif act == 3:
            changed[at:at] = rng.randbytes(rng.randint(1, 9))
        else:
            changed[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x9f\x9f\x9f\x9f", b"\xbf"])
    return bytes(changed)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _halved_json(value: Any) -> bytes:
    return _json(value).replace(_HALF.encode(), rb"\ud800")


def _cbor(value: Any) -> bytes:
    return cbor2.dumps(value).replace(_HALF.encode(), b"\xed\xa0\x80")


def _pack(name: str, body: bytes) -> bytes:
    return zstandard.compress(body, 1) if name.startswith("zstd") else gzip.compress(body, 1)


def _unpack(name: str, body: bytes) -> bytes:
    return zstandard.decompress(body) if name.startswith("zstd") else gzip.decompress(body)


def _peak_mb() -> float:
    """The largest resident size of this program; `ru_maxrss` would count what started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
