"""CSV files of a watch for tests, and how they are read."""

from pathlib import Path

import numpy as np

from ingest.importers.csv_files import read_csv
from ingest.importers.imported import ImportedRecording
from schemas.progress import NoProgress

BARE = "acc_x_g,acc_y_g,acc_z_g"
HEAD = f"time,{BARE},exercise,set,reps,weight_kg"
T0_NS = 1_795_255_200 * 10**9  # 2026-11-21T10:00:00Z
STEP_NS = 20_000_000


def line(at: int, *about_set: object, xyz: str = "0.25,-0.5,1") -> str:
    """The line of the sample `at`, at 50 Hz."""
    what = ",".join(map(str, (*about_set, *[""] * (4 - len(about_set)))))
    return f"2026-11-21T10:00:{at * 0.02:05.2f}Z,{xyz},{what}"


def written(folder: Path, *lines: str, name: str = "watch.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path) -> list[ImportedRecording]:
    return read_csv(path, "ada", "left", "Europe/London", NoProgress())


def written_times(folder: Path, t_ms: np.ndarray, values: np.ndarray) -> Path:
    """A file with a line for each time, in ms after `T0_NS`."""
    lines = [
        f"{T0_NS // 10**6 + t},{x:.6f},{y:.6f},{z:.6f}"
        for t, (x, y, z) in zip(t_ms.tolist(), values.tolist(), strict=True)
    ]
    return written(folder, "time_ms,acc_x_g,acc_y_g,acc_z_g", *lines)
