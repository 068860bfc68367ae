"""Our packages as one zip file, for executors on machines without this checkout."""

import io
import zipfile
from pathlib import Path

from pipelines.spark.shared_file import replace_file

CHECKOUT = Path(__file__).resolve().parents[2]
# What a job's functions may import; those of `ingest` are handed to `pipelines.replay`.
NEEDED = ("schemas", "models", "store", "ingest", "pipelines")


def pack_rooms(folder: Path) -> Path:
    """Write the rooms that a job's functions import into a zip file.

    Args:
        folder: where the file goes; it is made when absent.

    Returns:
        A file that Python imports from, with the same bytes as long as the code is the same.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as rooms:
        for room in NEEDED:
            for file in sorted((CHECKOUT / room).rglob("*.py")):
                name = file.relative_to(CHECKOUT).as_posix()
                rooms.writestr(zipfile.ZipInfo(name), file.read_bytes())
    return replace_file(folder / "rooms.zip", packed.getvalue())
