"""Imports recordings from CSV files: each file is one recording of one wrist.

    time,acc_x_g,acc_y_g,acc_z_g,exercise,reps,weight_kg
    2026-11-21T10:00:00.00Z,0.01,-0.12,-0.99,,,
    2026-11-21T10:00:00.02Z,0.02,-0.11,-0.98,bench press,10,60
    2026-11-21T10:00:00.04Z,0.02,-0.15,-1.01,bench press,,

Comma-separated, UTF-8, times ascending; columns in any order, and others are not read:

- `time` (RFC 3339; without an offset in the time zone that is given), or `time_s`, `time_ms` or
  `time_ns` since 1970 or since a start that is given;
- `acc_x_g`, `acc_y_g`, `acc_z_g`, or these with `m_s2`; with a gyroscope also `gyro_x_rad_s` and so
  on, or these with `deg_s`. A line may leave one of both streams empty, or nan. Acceleration has
  Apple's sign: at rest, face up, z is -1 g (docs/clients.md);
- `exercise` in every line of a set and in no other: `idle`, `rest`, `none`, `null`, `nan`, `0` and
  `-` are no exercise. A minute without lines ends a set;
- `set` tells sets of one exercise apart that follow one another without a pause, and holds one with
  a longer gap together;
- `reps` and `weight_kg` in one or more lines of a set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.importers.csv_lines import UNITS, Header, Line, header_of, lines_of
from ingest.importers.csv_sets import SetsInLines
from ingest.importers.csv_times import LineTimes, read_time_ns
from ingest.importers.imported import ImportedRecording
from ingest.quantise import quantised
from models.signal.pieces import Piece, Recording, Side
from models.signal.rates import batch_ends, usual_rate_hz
from models.signal.units import Kind
from schemas.errors import BadInput
from schemas.progress import Progress
from schemas.wire import RATE_MAX_HZ, RATE_MIN_HZ
from schemas.zones import time_zone

MAX_HOURS = 24  # a longer file is several recordings, or its times are in another unit
REGULAR_NS = 500_000
"""Times this close to a regular clock count as regular: offsets in ms say no more."""

SPIKE = 20.0
"""Where the largest value is over so many times what 999 of 1,000 values stay below, it would make
the steps of a whole file too coarse. Up to it 1,600 of the 32,767 steps in each direction are left
for the movement, nearly as many as a sensor of 12 bits has."""
PIECE_SAMPLES = 4096  # of such a file: they become a chunk with steps of its own


def read_csv(
    path: Path,
    person: str,
    side: Side | None,
    timezone: str | None,
    progress: Progress,
    start: str = "",
) -> list[ImportedRecording]:
    """The recordings of a file, or of the `.csv` files of a folder by their names.

    Args:
        path: of the file or the folder.
        person: whose they are.
        side: the wrist that wore the device, None where it is not known.
        timezone: where it was, a name of the IANA database: times without an offset are of there.
            None refuses such times, and sessions are of UTC.
        progress: is told about every file.
        start: when times that count from 0 began, as a time of a line; "" where they do not.

    Raises:
        BadInput: which file, line, column and value cannot be used.
    """
    line_times = _line_times(timezone, start)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path} has no .csv file", field="path", value=str(path))
    if start and len(files) > 1:
        says = f"--start is when one file began, and {path} has {len(files)}"
        raise BadInput(says, field="--start", value=start, next_step="Import them one by one.")
    recordings: list[ImportedRecording] = []
    for done, file in enumerate(files, start=1):
        read = _read(file, side, line_times)
        recordings.append(replace(read, person=person, timezone=timezone or "UTC"))
        progress.step("read csv", done, len(files))
    _refuse_same_start(recordings)
    return recordings


def _line_times(timezone: str | None, start: str) -> LineTimes:
    """How times are read.

    Raises:
        BadInput: the start is no time.
    """
    zone = time_zone(timezone) if timezone else None
    try:
        return LineTimes(zone, read_time_ns(start, zone) if start else None)
    except BadInput as problem:
        raise BadInput(f"--start {start!r} {problem}", field="--start", value=start) from problem


def _read(file: Path, side: Side | None, line_times: LineTimes) -> ImportedRecording:
    lines = lines_of(file)
    first = next(lines, None)
    if first is None:
        raise _unusable(file, "is empty")
    header = header_of(first)
    sets = SetsInLines(header.about_sets)
    samples: dict[Kind, list[tuple[int, list[float]]]] = {kind: [] for kind in header.streams}
    begin_ns = before_ns = 0
    for line in lines:
        if len(line.cells) != header.width:
            columns = f"{len(line.cells)} columns, its header {header.width}"
            raise _unusable(file, f"has in line {line.number} {columns}")
        at_ns = line_times.time_ns(line, header.time)
        begin_ns = begin_ns or at_ns
        _require_order(line, header, begin_ns, before_ns, at_ns)
        before_ns = at_ns
        for kind, triple in header.streams.items():
            if xyz := triple.values(line):
                samples[kind].append((at_ns, xyz))
        sets.add(line, at_ns)
    acc, gyro = (_pieces(file, header, kind, samples.get(kind, [])) for kind in UNITS)
    if not acc:
        raise _unusable(file, "has no samples of acc")
    return ImportedRecording(
        person="",
        day=None,
        recording=Recording(acc, gyro, side),
        sets=tuple(sets.found(round(1e9 / acc[0].rate_hz))),
        origin=str(file),
        remarks=tuple(_remarks(file, header, sets)),
    )


def _remarks(file: Path, header: Header, sets: SetsInLines) -> Iterator[str]:
    """What of a file is not used, in sentences."""
    if header.unread:
        yield f"{file}: unknown columns are not read: {', '.join(header.unread)}."
    if sets.between:
        words = ", ".join(sorted(sets.between))
        yield f"{file}: lines whose exercise is {words} belong to no set."


def _require_order(line: Line, header: Header, begin_ns: int, before_ns: int, at_ns: int) -> None:
    """Refuse times that run backwards or for days.

    Raises:
        BadInput: they do not.
    """
    if at_ns < before_ns:
        raise line.wrong(header.time, "lies before the line above")
    if at_ns - begin_ns > MAX_HOURS * 3600 * 10**9:
        why = f"lies more than {MAX_HOURS} h after the first line; a file is one recording"
        raise line.wrong(header.time, why)


def _pieces(
    file: Path, header: Header, kind: Kind, samples: Sequence[tuple[int, list[float]]]
) -> tuple[Piece, ...]:
    """The samples of a stream; empty if it has none.

    They are one piece, or several where a few values are far larger than all others: blows then
    make the steps of their own pieces coarse and not those of hours.

    Raises:
        BadInput: their rate is too high or too low.
    """
    if not samples:
        return ()
    times_ns = np.array([at_ns for at_ns, _ in samples], np.int64)
    xyz = np.array([values for _, values in samples], np.float64)
    rate_hz, t_ms = _rate_and_offsets(times_ns)
    if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
        bounds = f"{RATE_MIN_HZ:g} to {RATE_MAX_HZ:g} Hz can be used"
        raise _unusable(file, f"has {len(samples)} samples of {kind} at {rate_hz:.4g} Hz; {bounds}")
    unit, length = header.streams[kind].unit, PIECE_SAMPLES if _has_spikes(xyz) else len(xyz)
    return tuple(
        _piece(int(times_ns[0]), rate_hz, unit, xyz, t_ms, slice(start, start + length))
        for start in range(0, len(xyz), length)
    )


def _has_spikes(xyz: NDArray[np.float64]) -> bool:
    """Whether one step for all values would be too coarse for nearly all of them.

    >>> calm = np.ones((10_000, 3))
    >>> _has_spikes(calm), _has_spikes(np.vstack([calm, [[21.0, 0, 0]]]))
    (False, True)
    """
    sizes = np.abs(xyz)
    return bool(sizes.max() > SPIKE * np.quantile(sizes, 0.999))


def _piece(
    t0_ns: int,
    rate_hz: float,
    unit: str,
    xyz: NDArray[np.float64],
    t_ms: NDArray[np.int32] | None,
    part: slice,
) -> Piece:
    """A part of a stream that begins at `t0_ns`, with steps of its own."""
    scale, counts = quantised(xyz[part])
    if t_ms is None:
        return Piece(t0_ns + round(part.start / rate_hz * 1e9), rate_hz, unit, scale, counts)
    first_ms = int(t_ms[part.start])
    since_ms = t_ms[part] - np.int32(first_ms)
    return Piece(t0_ns + first_ms * 10**6, rate_hz, unit, scale, counts, since_ms)


def _rate_and_offsets(times_ns: NDArray[np.int64]) -> tuple[float, NDArray[np.int32] | None]:
    """The rate of a stream, and offsets in ms where its times are not those of a regular clock.

    Samples that were stamped as their batch arrived have the rate at which batches bring them.

    >>> _rate_and_offsets(np.array([0, 20, 40]) * 10**6)
    (50.0, None)
    >>> _rate_and_offsets(np.array([0, 20, 40, 90]) * 10**6)
    (50.0, array([ 0, 20, 40, 90], dtype=int32))
    >>> _rate_and_offsets(np.array([0, 0, 40, 40, 80, 80]) * 10**6)
    (50.0, array([ 0,  0, 40, 40, 80, 80], dtype=int32))
    """
    since_ns = (times_ns - times_ns[0]).astype(np.float64)
    if since_ns[-1] == 0:
        return 0.0, None
    regular = np.linspace(0, since_ns[-1], len(since_ns))
    if np.abs(since_ns - regular).max() <= REGULAR_NS:
        return (len(since_ns) - 1) * 1e9 / float(since_ns[-1]), None
    t_ms = np.rint(since_ns / 1e6).astype(np.int32)
    ends = batch_ends(since_ns)
    if len(ends) < len(since_ns):
        return usual_rate_hz(since_ns, ends), t_ms
    return 1e9 / float(np.median(np.diff(since_ns))), t_ms


def _refuse_same_start(recordings: Sequence[ImportedRecording]) -> None:
    """Refuse recordings with the same start: ids of sessions derive from person, wrist and start.

    Raises:
        BadInput: two files begin at the same time.
    """
    origins: dict[int, str] = {}
    for imported in recordings:
        begin_ms = imported.recording.acc[0].t0_ns // 10**6
        other = origins.setdefault(begin_ms, imported.origin)
        if other != imported.origin:
            raise BadInput(
                f"{other} and {imported.origin} begin at the same time",
                field="path",
                value=imported.origin,
                next_step="Import the recordings of each wrist by themselves, with --side.",
            )


def _unusable(file: Path, why: str) -> BadInput:
    return BadInput(f"{file} {why}.", field="path", value=str(file))
