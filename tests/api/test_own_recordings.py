"""A user's own CSV recordings are imported through the service."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from examples.client import RequestRefused
from ingest.importers.csv_files import read_csv
from muvr.importing import import_recordings
from schemas.progress import NoProgress
from tests.api.conftest import PASSWORD, Person, RunningService

SECONDS, RATE_HZ = 100, 50


def a_recording(path: Path, started: datetime) -> Path:
    """A hundred seconds with a gyroscope; ten presses in the middle."""
    lines = ["time,acc_x_g,acc_y_g,acc_z_g,gyro_x_deg_s,gyro_y_deg_s,gyro_z_deg_s,exercise,reps"]
    for n in range(SECONDS * RATE_HZ):
        at = (started + timedelta(seconds=n / RATE_HZ)).isoformat()
        is_set = 40 <= n / RATE_HZ < 70
        swing = 0.3 * np.sin(2 * np.pi * n / RATE_HZ / 3) if is_set else 0.0
        what = "bench press,10" if is_set else ","
        lines.append(f"{at},{swing:.4f},{-swing:.4f},1,{90 * swing:.3f},0,0,{what}")
    path.write_text("\n".join(lines))
    return path


def test_a_csv_file_is_imported_as_one_session_of_its_user(
    service: RunningService, person: Person, tmp_path: Path
):
    started = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    path = a_recording(tmp_path / "watch.csv", started)
    recordings = read_csv(path, person.username, "right", "Europe/London", NoProgress())
    sent = [
        import_recordings(
            service.url, "csv", recordings, PASSWORD, NoProgress(), username=person.username
        )
        for _ in range(2)
    ]
    n = SECONDS * RATE_HZ
    counts = {"users": 1, "days_moved": 0, "sessions": 1, "chunks": 4, "samples": 2 * n, "sets": 1}
    assert sent == [counts, counts]
    with person.client() as client:
        (listed,) = client.get("/v1/sessions").json()["sessions"]  # also after the second import
        session = client.get(f"/v1/sessions/{listed['session']}").json()
    assert (session["complete"], session["timezone"]) == (True, "Europe/London")
    assert datetime.fromisoformat(session["started_at"]) == started
    about = {name: (stream["unit"], stream["side"]) for name, stream in session["streams"].items()}
    assert about == {"acc": ("g", "right"), "gyro": ("deg/s", "right")}
    (done,) = [set_ for set_ in session["sets"] if set_["source"] == "confirmed"]
    assert (done["exercise"], done["reps"]) == ("bench press", 10)
    assert datetime.fromisoformat(done["started_at"]) == started + timedelta(seconds=40)
    assert datetime.fromisoformat(done["ended_at"]) == started + timedelta(seconds=70)


def test_a_refused_import_names_the_file(service: RunningService, person: Person, tmp_path: Path):
    now = datetime.now(UTC)
    a_recording(tmp_path / "new.csv", now - timedelta(days=1))
    a_recording(tmp_path / "old.csv", now - timedelta(days=500))  # it keeps its time
    recordings = read_csv(tmp_path, person.username, None, "UTC", NoProgress())
    with pytest.raises(RequestRefused, match=r"422 .*old\.csv: session .* days .* import again"):
        import_recordings(
            service.url, "csv", recordings, PASSWORD, NoProgress(), username=person.username
        )
