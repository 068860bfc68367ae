"""CSV imports: times with and without a zone, irregular ones, and ones stamped on arrival."""

from pathlib import Path

import numpy as np
import pytest

from ingest.importers.csv_files import read_csv
from models.signal.wrist import wrist_signals
from schemas.errors import BadInput
from schemas.notes import BATCHED_TIMES
from schemas.progress import NoProgress
from tests.ingest.csv_watch import BARE, HEAD, STEP_NS, T0_NS, line, read, written, written_times
from tests.models.batched_stamps import N, stamped
from tests.models.streams import error_g, sines


@pytest.mark.parametrize(
    ("column", "unit_ns"), [("time_s", 10**9), ("time_ms", 10**6), ("time_ns", 1)]
)
def test_numeric_times_are_unix_times(tmp_path: Path, column: str, unit_ns: int):
    places = len(str(unit_ns)) - 1
    lines = [f"{(T0_NS + n * STEP_NS) / unit_ns:.{places}f},1,2,3" for n in range(3)]
    lines = lines if column != "time_ns" else [f"{T0_NS + n * STEP_NS},1,2,3" for n in range(3)]
    (one,) = read(written(tmp_path, f"{column},acc_x_g,acc_y_g,acc_z_g", *lines))
    assert one.recording.acc[0].t0_ns == pytest.approx(T0_NS, abs=100)
    assert one.recording.acc[0].rate_hz == pytest.approx(50, rel=1e-4)


def test_irregular_sample_times_are_kept(tmp_path: Path):
    times = [0, 20, 43, 60, 200]
    lines = [f"{T0_NS // 10**6 + t},1,2,3" for t in times]
    (one,) = read(written(tmp_path, "time_ms,acc_x_g,acc_y_g,acc_z_g", *lines))
    (acc,) = one.recording.acc
    assert acc.t_ms is not None
    assert (acc.t_ms.tolist(), acc.rate_hz) == (times, pytest.approx(1000 / 21.5))


@pytest.mark.parametrize("lost", [0, 1], ids=["whole batches", "begins within a batch"])
@pytest.mark.parametrize("apart_ms", [0, 1])
@pytest.mark.parametrize("size", [2, 5, 25])
def test_samples_stamped_on_arrival_have_the_rate_of_their_batches(
    tmp_path: Path, size: int, apart_ms: int, lost: int
):
    """A minute at 50 Hz in batches, as the API takes it with 50 Hz claimed."""
    t_ms = stamped(size, apart_ms).t_ms
    assert t_ms is not None
    (one,) = read(written_times(tmp_path, t_ms[lost:], sines(np.arange(N) / 50)[lost:]))
    assert one.recording.acc[0].rate_hz == pytest.approx(50, rel=0.01)
    (signal,) = wrist_signals(one.recording)
    assert signal.notes == (BATCHED_TIMES,)
    assert len(signal.acc_g) == N - lost
    late_s = T0_NS / 1e9 + apart_ms * (size - 1) / 1000  # the last stamp of a batch is late
    assert error_g(signal, lambda t_s: sines(t_s - late_s)) < 0.01


def test_sleep_between_short_bursts_is_no_batch(tmp_path: Path):
    """A second of samples at 50 Hz, then four seconds without."""
    t_ms = (np.arange(20)[:, None] * 5000 + np.arange(50) * 20).ravel()
    (one,) = read(written_times(tmp_path, t_ms, sines(t_ms / 1000)))
    assert one.recording.acc[0].rate_hz == 50


def read_at(path: Path, timezone: str | None, start: str = "") -> int:
    """When a recording begins, read with these options."""
    (one,) = read_csv(path, "ada", None, timezone, NoProgress(), start)
    assert one.timezone == (timezone or "UTC")
    return one.recording.acc[0].t0_ns


@pytest.mark.parametrize(("column", "step"), [("time_s", "0.02"), ("time_ms", "20")])
@pytest.mark.parametrize(
    ("start", "timezone"),
    [("2026-11-21T10:00:00Z", None), ("2026-11-21T11:00:00", "Europe/Zurich")],
)
def test_times_from_0_count_from_the_start_that_is_given(
    tmp_path: Path, column: str, step: str, start: str, timezone: str | None
):
    path = written(tmp_path, f"{column},{BARE}", "0,1,2,3", f"{step},1,2,3")
    assert read_at(path, timezone, start) == T0_NS
    with pytest.raises(BadInput, match=r"line 2.*'0' must lie between 2000 and 2116; .* --start"):
        read(path)


def test_a_start_that_does_not_fit_the_file_is_refused(tmp_path: Path):
    start = "2026-11-21T10:00:00Z"
    path = written(tmp_path, HEAD, line(0), line(1))
    with pytest.raises(BadInput, match=r"line 2, column time: .* needs no --start, .* time_s"):
        read_at(path, None, start)
    path = written(tmp_path, f"time_s,{BARE}", f"{T0_NS // 10**9},1,2,3")
    with pytest.raises(BadInput, match=r"line 2, column time_s: .* leave --start out"):
        read_at(path, None, start)
    with pytest.raises(BadInput, match="--start '10:00' must be RFC 3339"):
        read_at(path, "Europe/Zurich", "10:00")
    written(tmp_path, f"time_s,{BARE}", "0,1,2,3", "1,1,2,3", name="other.csv")
    with pytest.raises(BadInput, match="--start is when one file began, and .* has 2"):
        read_at(tmp_path, None, start)


def test_times_without_an_offset_are_of_the_time_zone_that_is_given(tmp_path: Path):
    lines = [f"2026-07-21T11:30:00.{n:02}0,1,2,3" for n in (0, 2, 4)]
    path = written(tmp_path, f"time,{BARE}", *lines)
    assert read_at(path, "Europe/Zurich") == 1_784_626_200 * 10**9  # 09:30 UTC, in summer
    with pytest.raises(
        BadInput, match=r"must be RFC 3339 with Z or an offset, .*; --timezone says"
    ):
        read_at(path, None)


@pytest.mark.parametrize("hour", ["2026-10-25T02:30", "2026-03-29T02:30"], ids=["twice", "never"])
def test_hours_in_which_clocks_change_need_an_offset(tmp_path: Path, hour: str):
    path = written(tmp_path, f"time,{BARE}", f"{hour}:00,1,2,3", f"{hour}:01,1,2,3")
    with pytest.raises(BadInput, match=r"line 2, column time: .* twice or never in Europe/Zurich"):
        read_at(path, "Europe/Zurich")
    path = written(tmp_path, f"time,{BARE}", f"{hour}:00+02:00,1,2,3", f"{hour}:01+02:00,1,2,3")
    assert read_at(path, "Europe/Zurich") > T0_NS - 300 * 86_400 * 10**9
