"""A folder with recordings of a gym."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def gym_folder(folder: Path) -> Path:
    """Three seconds at 100 Hz whose middle second is a set; x counts the milliseconds."""
    head = ["segment", "kind", "day", "started", "code", "name", "weight_kg", "set_no"]
    head += ["reps", "n", "t0_s"]
    common = {"day": "2024-01-02", "started": "2024-01-02T03-04-05", "code": "PREC", "set_no": 1}
    with (folder / "segments.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, head)
        writer.writeheader()
        writer.writerow({**common, "segment": 7, "kind": "active", "name": "BicepCurl",
                         "weight_kg": 12.5, "reps": 4, "n": 100, "t0_s": 1.0})  # fmt: skip
        writer.writerow({**common, "segment": 8, "kind": "idle", "name": "Idle", "weight_kg": "",
                         "reps": "", "n": 200, "t0_s": 0.0})  # fmt: skip
    t_ms = np.concatenate(
        [np.arange(1000, 2000, 10), np.arange(0, 1000, 10), np.arange(2000, 3000, 10)]
    )
    columns = {"segment": np.array([7] * 100 + [8] * 200, np.int16), "t_ms": t_ms}
    columns |= {f"a{axis}_mg": t_ms.astype(np.int16) for axis in "xyz"}
    columns |= {f"g{axis}_mrads": (-t_ms).astype(np.int16) for axis in "xyz"}
    pq.write_table(pa.table(columns), folder / "samples.parquet")
    return folder
