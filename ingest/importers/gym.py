"""Gym IMU: one lifter, Apple Watch on the left wrist, 100 Hz, sets and the idle time around them.

Source: "Gym Workout IMU Dataset" (S. Sairam, Kaggle), cut into sets by a public repository;
CC BY-SA 4.0. Not shipped: read from a folder with two files.

`segments.csv` has a row per segment: `segment, kind (active or idle), day, started, code, name,
weight_kg, set_no, reps, n, t0_s`. `samples.parquet` has a row per sample, all int16: `segment`,
`t_ms` since the recording began, acceleration with gravity `ax_mg ay_mg az_mg` (milli-g) and
rotation `gx_mrads gy_mrads gz_mrads` (milli-rad/s). An active segment and the idle segments of the
same `started` are one recording; the idle one has a hole where its set was, so the sample times
are the truth.
"""

import csv
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.importers.imported import ImportedRecording, ImportedSet
from models.signal.pieces import Piece, Recording
from schemas.errors import BadInput

RATE_HZ = 100.0
MILLI = 1e-3
PERSON = "gym-lifter"
FILES = ("segments.csv", "samples.parquet")
HOW_TO_GET = (
    "They are not shipped (CC BY-SA 4.0): take the Gym Workout IMU Dataset of S. Sairam from "
    "Kaggle with the cuts of github.com/ary3141/gym-segmentation, write its segments to "
    f"{' and '.join(FILES)} (columns: ingest/importers/gym.py)."
)


def read_gym(folder: Path) -> list[ImportedRecording]:
    """All recordings in time order, each rebuilt from its segments.

    Args:
        folder: holds `segments.csv`, `samples.parquet` and, when counts were checked,
            `audited_reps.csv`.

    Raises:
        BadInput: a file is missing.
    """
    for name in FILES:
        if not (folder / name).exists():
            raise BadInput(
                f"The gym recordings are not there: {folder} has no {name}.",
                field="path",
                value=str(folder),
                next_step=HOW_TO_GET,
            )
    with (folder / "segments.csv").open(newline="") as file:
        segments = list(csv.DictReader(file))
    samples = _samples_by_segment(folder / "samples.parquet")
    by_start: dict[str, list[dict[str, str]]] = defaultdict(list)
    for segment in segments:
        by_start[segment["started"]].append(segment)
    audited = _audited_reps(folder)
    return [_recording(by_start[started], samples, audited) for started in sorted(by_start)]


def gym_is_there(folder: Path) -> bool:
    """Whether a folder holds the recordings."""
    return all((folder / name).exists() for name in FILES)


def _audited_reps(folder: Path) -> dict[str, int]:
    """Counts made again by eye, per segment; empty when the file is not there."""
    path = folder / "audited_reps.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {row["segment"]: int(row["reps_audited"]) for row in csv.DictReader(file)}


def _samples_by_segment(path: Path) -> dict[int, NDArray[np.int64]]:
    """Columns t_ms, ax ay az (milli-g), gx gy gz (milli-rad/s) of each segment."""
    table = pq.read_table(path)
    names = ("t_ms", "ax_mg", "ay_mg", "az_mg", "gx_mrads", "gy_mrads", "gz_mrads")
    columns = np.stack([table.column(name).to_numpy().astype(np.int64) for name in names], axis=1)
    segment = table.column("segment").to_numpy()
    return {int(s): columns[segment == s] for s in np.unique(segment)}


def _recording(
    segments: list[dict[str, str]],
    samples: dict[int, NDArray[np.int64]],
    audited: dict[str, int],
) -> ImportedRecording:
    rows = np.concatenate([samples[int(s["segment"])] for s in segments])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    rows = rows[np.concatenate([[True], np.diff(rows[:, 0]) > 0])]
    started = datetime.strptime(segments[0]["started"], "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC)
    origin_ns = int(started.timestamp()) * 10**9
    t_ms = rows[:, 0] - rows[0, 0]
    t0_ns = origin_ns + int(rows[0, 0]) * 10**6
    sets = tuple(
        _set(s, samples[int(s["segment"])], origin_ns, audited.get(s["segment"]))
        for s in segments
        if s["kind"] == "active"
    )
    return ImportedRecording(
        person=PERSON,
        day=segments[0]["day"],
        recording=Recording(
            acc=(_piece(rows[:, 1:4], t_ms, t0_ns, "g"),),
            gyro=(_piece(rows[:, 4:7], t_ms, t0_ns, "rad/s"),),
            side="left",
        ),
        sets=tuple(sorted(sets, key=lambda s: s.start_ns)),
    )


def _set(
    segment: dict[str, str], rows: NDArray[np.int64], origin_ns: int, reps_audited: int | None
) -> ImportedSet:
    return ImportedSet(
        exercise=segment["name"].lower(),
        start_ns=origin_ns + int(rows[0, 0]) * 10**6,
        end_ns=origin_ns + (int(rows[-1, 0]) + 10) * 10**6,
        reps=int(segment["reps"]) if segment["reps"] else None,
        weight_kg=float(segment["weight_kg"]) if segment["weight_kg"] else None,
        variant=segment["code"],
        reps_audited=reps_audited,
    )


def _piece(counts: NDArray[np.int64], t_ms: NDArray[np.int64], t0_ns: int, unit: str) -> Piece:
    return Piece(
        t0_ns=t0_ns,
        rate_hz=RATE_HZ,
        unit=unit,
        scale=MILLI,
        counts=counts.astype(np.int16),
        t_ms=t_ms.astype(np.int32),
    )
