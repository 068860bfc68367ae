"""SPAR-10: ten people, seven shoulder exercises, both wrists, Apple Watch at 50 Hz.

Source: Burns et al., "Shoulder physiotherapy exercise recognition", Physiol. Meas. 2018; the
subset that the BSD-3 licensed package `seglearn` 1.2.5 carries: 140 recordings of nominally 20
repetitions, acceleration in g and rotation in rad/s. Its times are not kept there: recordings are
laid one after another on one day, with a minute between them.
"""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.importers.imported import ImportedRecording, ImportedSet
from ingest.importers.wheel import fetch_wheel
from ingest.quantise import held_in_16_bits
from models.signal.pieces import Piece, Recording, Side
from store.synced import replace_synced

RATE_HZ = 50.0
NOMINAL_REPS = 20
ACC_SCALE_G = 1 / 4096  # ±8 g fits int16: the largest value here is 5.9 g
GYRO_SCALE_RAD_S = 1 / 1024  # ±32 rad/s: the largest is 29
FIRST_AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
PAUSE_S = 60
EXERCISES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "trapezius extension",
    "ROW": "upright row",
}
MEMBER = "seglearn/data/watch_dataset.npy"


def read_spar(cache: Path, first_at: datetime = FIRST_AT) -> list[ImportedRecording]:
    """All 140 recordings in the source's order.

    Args:
        cache: folder for the wheel and for the arrays read from it.
        first_at: the start that is assigned to each person's first recording.
    """
    arrays = _arrays(cache)
    first_ns = int(first_at.timestamp()) * 10**9
    clock_ns = dict.fromkeys(map(int, arrays["subject"]), first_ns)
    return [_recording(arrays, index, clock_ns) for index in range(len(arrays["subject"]))]


def _arrays(cache: Path) -> dict[str, NDArray[Any]]:
    """The data as plain arrays; the wheel holds a pickle, read once, after its hash was checked."""
    kept = cache / "spar10-1.npz"
    if not kept.exists():
        with zipfile.ZipFile(fetch_wheel("seglearn", cache)) as wheel, wheel.open(MEMBER) as member:
            data = np.load(member, allow_pickle=True).item()
        content = io.BytesIO()
        np.savez(
            content,
            xyz=np.concatenate(data["X"]).astype(np.float64),
            n=np.array([len(x) for x in data["X"]]),
            subject=np.asarray(data["subject"], dtype=np.int64),
            side=np.asarray(data["side"], dtype=np.int64),
            exercise=np.array([data["y_labels"][int(y)] for y in data["y"]]),
        )
        replace_synced(kept, content.getvalue(), mode=0o666)  # half a file would be read for ever
    with np.load(kept, allow_pickle=False) as arrays:
        return dict(arrays)


def _recording(
    arrays: dict[str, NDArray[Any]], index: int, clock_ns: dict[int, int]
) -> ImportedRecording:
    person = int(arrays["subject"][index])
    first = int(arrays["n"][:index].sum())
    n = int(arrays["n"][index])
    rows = arrays["xyz"][first : first + n]
    start_ns = clock_ns[person]
    end_ns = start_ns + round(n / RATE_HZ * 1e9)
    clock_ns[person] = end_ns + PAUSE_S * 10**9
    side: Side = "right" if arrays["side"][index] else "left"
    exercise = EXERCISES[str(arrays["exercise"][index])]
    return ImportedRecording(
        person=f"{person:02d}",
        day=None,
        recording=Recording(
            acc=(_piece(rows[:, :3], start_ns, "g", ACC_SCALE_G),),
            gyro=(_piece(rows[:, 3:], start_ns, "rad/s", GYRO_SCALE_RAD_S),),
            side=side,
        ),
        sets=(ImportedSet(exercise, start_ns, end_ns, NOMINAL_REPS),),
    )


def _piece(xyz: NDArray[np.float64], start_ns: int, unit: str, scale: float) -> Piece:
    step, counts = held_in_16_bits(np.rint(xyz / scale))
    return Piece(t0_ns=start_ns, rate_hz=RATE_HZ, unit=unit, scale=step * scale, counts=counts)
