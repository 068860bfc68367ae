"""Gym IMU: one lifter, Apple Watch on the left wrist, 100 Hz, sets and the idle time around them.

Source: "Gym Workout IMU Dataset" (S. Sairam, Kaggle), cut into sets by a public repository;
CC BY-SA 4.0. Not shipped: read from a folder with two files.

`segments.csv` has a row per segment: `segment, kind (active or idle), day, started, code, name,
weight_kg, set_no, reps, n, t0_s`. `samples.parquet` has a row per sample, all int16 (floats are
rounded): `segment`, `t_ms` since the recording began, acceleration with gravity `ax_mg ay_mg az_mg`
(milli-g) and rotation `gx_mrads gy_mrads gz_mrads` (milli-rad/s). An active segment and the idle
segments of the same `started` are one recording; the idle one has a hole where its set was, so the
sample times are the truth. A set whose `reps` are no whole number ("8+2") has none, and its
recording says so.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.importers.gym_segments import Segment, read_audited_reps, read_segments
from ingest.importers.imported import ImportedRecording, ImportedSet
from ingest.quantise import held_in_16_bits
from models.signal.pieces import Piece, Recording
from schemas.errors import BadInput
from schemas.wire import MAX_MAGNITUDE

RATE_HZ = 100.0
MILLI = 1e-3
LEAST_MILLI = 50.0
"""A wrist feels more milli-g and turns by more milli-rad/s than this: smaller floats are in g or
rad/s."""
PERSON = "gym-lifter"
FILES = ("segments.csv", "samples.parquet")
SENSOR_COLUMNS = {
    "g": ("ax_mg", "ay_mg", "az_mg"),
    "rad/s": ("gx_mrads", "gy_mrads", "gz_mrads"),
}
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
        BadInput: a file is missing or cannot be read; or no segment has samples.
    """
    for name in FILES:
        if not (folder / name).exists():
            raise BadInput(
                f"The gym recordings are not there: {folder} has no {name}.",
                field="path",
                value=str(folder),
                next_step=HOW_TO_GET,
            )
    samples = _samples_by_segment(folder / "samples.parquet")
    audited = read_audited_reps(folder / "audited_reps.csv")
    by_start: dict[int, list[Segment]] = defaultdict(list)
    for segment in read_segments(folder / "segments.csv"):
        if segment.number in samples:
            by_start[int(segment.started.timestamp())].append(segment)
    if not by_start:
        raise BadInput(
            f"{folder} holds no recording: no segment of segments.csv has rows in samples.parquet.",
            field="path",
            value=str(folder),
        )
    return [
        _recording(by_start[start_s], samples, audited, start_s) for start_s in sorted(by_start)
    ]


def gym_is_there(folder: Path) -> bool:
    """Whether a folder holds the recordings."""
    return all((folder / name).exists() for name in FILES)


def _samples_by_segment(path: Path) -> dict[int, NDArray[np.int64]]:
    """Columns t_ms, ax ay az (milli-g), gx gy gz (milli-rad/s) of each segment that has samples."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as problem:
        says = f"{path} cannot be read as Parquet: {problem}"
        raise BadInput(says, field="path", value=str(path)) from problem
    segment = _integers(path, table, "segment")
    sensors = [_sensor(path, table, unit) for unit in SENSOR_COLUMNS]
    columns = np.column_stack([_integers(path, table, "t_ms"), *sensors])
    return {int(s): columns[segment == s] for s in np.unique(segment)}


def _sensor(path: Path, table: pa.Table, unit: str) -> NDArray[np.int64]:
    """The three columns of a sensor, in thousandths of its unit: (n, 3).

    Raises:
        BadInput: see `_numbers`; or they are in the unit itself, or more than a wrist can do.
    """
    names = SENSOR_COLUMNS[unit]
    xyz = np.column_stack([_numbers(path, table, name) for name in names])
    largest = np.abs(xyz.astype(np.float64)).max(axis=0, initial=0)
    at, most, limit = int(largest.argmax()), float(largest.max()), MAX_MAGNITUDE[unit] / MILLI
    if most > limit:
        says = (
            f"the largest value is {most:g}, and must lie within ±{limit:g}, thousandths of {unit}"
        )
        raise BadInput(f"{path}, column {names[at]}: {says}.", field=names[at], value=most)
    if np.issubdtype(xyz.dtype, np.floating) and 0 < most < LEAST_MILLI:
        raise BadInput(
            f"{path}, column {names[at]}: the largest value is {most:g}, as if in {unit}.",
            field=names[at],
            value=most,
            next_step=f"Write thousandths of {unit}: multiply {', '.join(names)} by 1000.",
        )
    return np.rint(xyz).astype(np.int64)


def _integers(path: Path, table: pa.Table, name: str) -> NDArray[np.int64]:
    """A column, rounded to whole numbers; raises as `_numbers` does."""
    return np.rint(_numbers(path, table, name)).astype(np.int64)


def _numbers(path: Path, table: pa.Table, name: str) -> NDArray[np.int64] | NDArray[np.float64]:
    """A column, of whole numbers or of floats.

    Raises:
        BadInput: it is missing, is not of numbers, or has empty cells.
    """
    if name not in table.column_names:
        raise BadInput(f"{path} has no column {name}.", field=name, value=str(path))
    column = table.column(name)
    numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    values = column.to_numpy() if numbers and not column.null_count else np.array([np.nan])
    if not np.isfinite(values).all():
        raise BadInput(
            f"{path}, column {name}: not every row is a number.", field=name, value=str(path)
        )
    return values


def _recording(
    segments: list[Segment],
    samples: dict[int, NDArray[np.int64]],
    audited: dict[int, int],
    start_s: int,
) -> ImportedRecording:
    rows = np.concatenate([samples[s.number] for s in segments])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    rows = rows[np.concatenate([[True], np.diff(rows[:, 0]) > 0])]
    origin_ns = start_s * 10**9
    t_ms = rows[:, 0] - rows[0, 0]
    t0_ns = origin_ns + int(rows[0, 0]) * 10**6
    sets = tuple(
        _set(s, samples[s.number], origin_ns, audited.get(s.number)) for s in segments if s.active
    )
    return ImportedRecording(
        person=PERSON,
        day=segments[0].day,
        recording=Recording(
            acc=(_piece(rows[:, 1:4], t_ms, t0_ns, "g"),),
            gyro=(_piece(rows[:, 4:7], t_ms, t0_ns, "rad/s"),),
            side="left",
        ),
        sets=tuple(sorted(sets, key=lambda s: s.start_ns)),
        remarks=tuple(s.remark for s in segments if s.remark),
    )


def _set(
    segment: Segment, rows: NDArray[np.int64], origin_ns: int, reps_audited: int | None
) -> ImportedSet:
    return ImportedSet(
        exercise=segment.name,
        start_ns=origin_ns + int(rows[0, 0]) * 10**6,
        end_ns=origin_ns + (int(rows[-1, 0]) + 10) * 10**6,
        reps=segment.reps,
        weight_kg=segment.weight_kg,
        variant=segment.code,
        reps_audited=reps_audited,
    )


def _piece(counts: NDArray[np.int64], t_ms: NDArray[np.int64], t0_ns: int, unit: str) -> Piece:
    step, held = held_in_16_bits(counts)
    return Piece(
        t0_ns=t0_ns,
        rate_hz=RATE_HZ,
        unit=unit,
        scale=step * MILLI,
        counts=held,
        t_ms=t_ms.astype(np.int32),
    )
