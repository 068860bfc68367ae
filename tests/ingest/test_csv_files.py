"""CSV imports: samples and sets, and errors that name file, line, column and value."""

from pathlib import Path

import numpy as np
import pytest

from ingest.importers.csv_files import read_csv
from ingest.importers.imported import ImportedRecording
from models.signal.wrist import wrist_signals
from schemas.errors import BadInput
from schemas.notes import BATCHED_TIMES
from schemas.progress import NoProgress
from tests.models.streams import error_g, sines
from tests.models.test_batches import N, stamped

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


def test_samples_are_imported_with_times_unit_and_wrist(tmp_path: Path):
    xyz = [f"{n / 8},{-n / 4},1.0" for n in range(100)]
    path = written(tmp_path, HEAD, *(line(n, xyz=one) for n, one in enumerate(xyz)))
    (one,) = read(path)
    (acc,) = one.recording.acc
    assert (acc.t0_ns, acc.rate_hz, acc.unit, acc.t_ms) == (T0_NS, 50.0, "g", None)
    expected = np.array([[n / 8, -n / 4, 1.0] for n in range(100)])
    assert np.abs(acc.counts * acc.scale - expected).max() <= acc.scale / 2
    assert (one.recording.side, one.recording.gyro, one.sets) == ("left", (), ())
    assert (one.person, one.timezone, one.origin) == ("ada", "Europe/London", str(path))


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


def written_times(folder: Path, t_ms: np.ndarray, values: np.ndarray) -> Path:
    """A file with a line for each time, in ms after `T0_NS`."""
    lines = [
        f"{T0_NS // 10**6 + t},{x:.6f},{y:.6f},{z:.6f}"
        for t, (x, y, z) in zip(t_ms.tolist(), values.tolist(), strict=True)
    ]
    return written(folder, "time_ms,acc_x_g,acc_y_g,acc_z_g", *lines)


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


def test_accelerometer_and_gyroscope_may_use_separate_lines(tmp_path: Path):
    head = "gyro_z_deg_s,gyro_y_deg_s,gyro_x_deg_s,time_ms,acc_x_m_s2,acc_y_m_s2,acc_z_m_s2"
    t0_ms = T0_NS // 10**6
    lines = [
        f",,,{t0_ms + n * 10},0,9.8,0" if n % 2 else f"3,2,1,{t0_ms + n * 10},,," for n in range(20)
    ]
    (one,) = read(written(tmp_path, head, *lines))
    (acc,), (gyro,) = one.recording.acc, one.recording.gyro
    assert (acc.unit, acc.rate_hz, acc.t0_ns) == ("m/s2", 50.0, T0_NS + 10_000_000)
    assert (gyro.unit, gyro.rate_hz, gyro.t0_ns) == ("deg/s", 50.0, T0_NS)
    assert (gyro.counts[0] * gyro.scale).tolist() == pytest.approx([1, 2, 3], abs=gyro.scale)


def test_consecutive_lines_with_an_exercise_form_a_set(tmp_path: Path):
    about = [
        *[()] * 2,
        *[("bench press", 1), ("bench press", 1, 10, 62.5), ("bench press", 1)],
        *[("bench press", 2, 8)] * 2,
        (),
        *[("row",)] * 3,
    ]
    (one,) = read(written(tmp_path, HEAD, *(line(n, *what) for n, what in enumerate(about))))
    spans = [((s.start_ns - T0_NS) // STEP_NS, (s.end_ns - T0_NS) // STEP_NS) for s in one.sets]
    assert spans == [(2, 5), (5, 7), (8, 11)]
    assert [(s.exercise, s.reps, s.weight_kg) for s in one.sets] == [
        ("bench press", 10, 62.5),
        ("bench press", 8, None),
        ("row", None, None),
    ]


@pytest.mark.parametrize(
    ("pause_s", "number", "spans_s"),
    [
        (60, "", [(0, 64)]),
        (61, "", [(0, 2), (63, 65)]),
        (61, "1", [(0, 65)]),
    ],
    ids=["shorter", "longer", "longer in a set with a number"],
)
def test_a_minute_without_lines_ends_a_set_that_has_no_number(
    tmp_path: Path, pause_s: int, number: str, spans_s: list[tuple[int, int]]
):
    """Two seconds, and two more after the watch was off."""
    head = "time_ms,acc_x_g,acc_y_g,acc_z_g,exercise,set"
    twice_ms = [n * 20 + begin for begin in (0, 1980 + pause_s * 1000) for n in range(100)]
    lines = [f"{T0_NS // 10**6 + t_ms},0,0,1,row,{number}" for t_ms in twice_ms]
    (one,) = read(written(tmp_path, head, *lines))
    spans_ms = [((s.start_ns - T0_NS) // 10**6, (s.end_ns - T0_NS) // 10**6) for s in one.sets]
    clipped = [(round(start / 1000), round(end / 1000)) for start, end in spans_ms]
    assert clipped == spans_s


def test_a_set_that_is_too_long_is_refused_with_its_position(tmp_path: Path):
    """Seven hours, a line every second."""
    head = "time_ms,acc_x_g,acc_y_g,acc_z_g,exercise"
    lines = [f"{T0_NS // 10**6 + n * 1000},0,0,1,cycling" for n in range(7 * 3600)]
    with pytest.raises(BadInput, match=r"line 2, column exercise: 'cycling' cannot be of a set"):
        read(written(tmp_path, head, *lines))


def test_set_continues_over_differences_in_spaces_and_unicode_form(tmp_path: Path):
    typed = ("Knä hebe", " Kna\u0308  hebe", "Knä\u00a0hebe ", "Knä hebe", "knä hebe")
    (one,) = read(written(tmp_path, HEAD, *(line(n, name) for n, name in enumerate(typed))))
    assert [s.exercise for s in one.sets] == ["Knä hebe", "knä hebe"]


@pytest.mark.parametrize(
    ("head", "lines", "says"),
    [
        (HEAD, [line(0, xyz="1,abc,1")], "line 2, column acc_y_g: 'abc' is no number"),
        (HEAD, [line(0, xyz='1,"0,5",1')], "line 2, column acc_y_g: '0,5' is no number"),
        (HEAD, [line(0), line(1, xyz="1,,1")], "line 3, column acc_y_g: '' is no number"),
        (HEAD, [line(0, xyz="1,1,inf")], "line 2, column acc_z_g: 'inf' is no number"),
        (HEAD, [line(0, xyz="1,1,5000")], "line 2, column acc_z_g: '5000' must lie within ±1000 g"),
        (HEAD, [line(2), "", line(1)], "line 4, column time: '2026-11-21T10:00:00.02Z' lies"),
        (HEAD, ["10:00,1,1,1,,,,"], "line 2, column time: '10:00' must be RFC 3339"),
        (HEAD, [line(0, xyz="1,nan,1")], "line 2, column acc_y_g: 'nan' is no number"),
        (HEAD, [line(0, "idle", 3)], "line 2, column set: '3' stands where no exercise is named"),
        (HEAD, [line(0), line(1)[:-1]], "line 3"),
        (HEAD, [line(0, "", "", 5)], "line 2, column reps: '5' stands where no exercise is named"),
        (HEAD, [line(0, "row", "", 5), line(1, "row", "", 6)], "line 3, column reps: '6' contra"),
        (HEAD, [line(0, "row"), line(1, "row", "", 5.5)], "line 3, column reps: '5.5' cannot be"),
        (HEAD, [line(0, "row", 1, 5, -1), line(1)], "line 2, column weight_kg: '-1' cannot be"),
        (HEAD, [line(0, "r" * 101), line(1)], "line 2, column exercise: 'rrr"),
        (HEAD, [line(0), line(55)], "at 0.9091 Hz"),
        (HEAD, [line(0)], "at 0 Hz"),
        (HEAD, [], "has no samples of acc"),
        (HEAD.replace("acc_x_g", "acx_g"), [], "'acx_g' is no known column; did you mean acc_x_g?"),
        (HEAD.replace("acc_x_g", "acc_x_m_s2"), [], "the header does not name acc_x_g"),
        (HEAD.replace("acc_y_g", "acc_x_g"), [], "line 1, column 3: 'acc_x_g' is named twice"),
        (HEAD.replace("time", "set"), [], "is named twice"),
        (HEAD.replace("exercise,", ""), [], "names set, reps, weight_kg without exercise"),
        (f"{HEAD},time_s", [], "the header must name one of time"),
        (HEAD.replace("weight_kg", "weight"), [], "column 8: 'weight' is no known column;"),
        (HEAD.replace("weight_kg", "load"), [], "'load' is no known column; did you mean weight"),
        (HEAD.replace("reps", "repetitions"), [], "no known column; did you mean reps?"),
        (HEAD.replace("reps", "count"), [], "'count' is no known column; did you mean reps?"),
        (f"time,{BARE},gyro_x", [], "did you mean gyro_x_rad_s or gyro_x_deg_s?"),
        (f"time,{BARE},gyrY", [], "did you mean gyro_y_rad_s or gyro_y_deg_s?"),
        (f"time,{BARE},gx,gy,gz", [], "'gx' is no known column; did you mean gyro_x_rad_s or"),
        (HEAD.replace(",", ";"), [], "is no known column; known are time"),
        ("time_s,acc_x_g,acc_y_g,acc_z_g", ["0.02,1,1,1"], "must lie between 2000 and 2116"),
        ("time_ms,acc_x_g,acc_y_g,acc_z_g", ["nan,1,1,1"], "'nan' must be a number"),
        ("time_s,acc_x_g,acc_y_g,acc_z_g", [f"{T0_NS // 10**9},1,1,1",
         f"{T0_NS // 10**9 + 90_000},1,1,1"], "lies more than 24 h after the first line"),
    ],
)  # fmt: skip
def test_invalid_values_are_refused_with_their_position(
    tmp_path: Path, head: str, lines: list[str], says: str
):
    path = written(tmp_path, head, *lines)
    with pytest.raises(BadInput) as refused:
        read(path)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_unknown_columns_are_not_read_and_are_told(tmp_path: Path):
    head = f",hr,time_ms,mag_x,{BARE},Subject,timestamp"
    lines = [f"{n},61,{T0_NS // 10**6 + n * 20},nan,1,2,3,S01,x" for n in range(9)]
    path = written(tmp_path, head, *lines)
    (one,) = read(path)
    assert len(one.recording.acc[0].counts) == 9
    assert one.remarks == (f"{path}: unknown columns are not read: hr, mag_x, Subject, timestamp.",)


@pytest.mark.parametrize("empty", ["", "nan", "NaN", "null", "None", "-"])
def test_a_sensor_without_a_value_on_any_axis_has_no_sample_in_that_line(
    tmp_path: Path, empty: str
):
    gyro = "gyro_x_rad_s,gyro_y_rad_s,gyro_z_rad_s"
    nothing = ",".join([empty] * 3)
    lines = [f"{T0_NS // 10**6 + n * 20},1,2,3,{nothing if n == 4 else '4,5,6'}" for n in range(10)]
    (one,) = read(written(tmp_path, f"time_ms,{BARE},{gyro}", *lines))
    (acc,), (gyro_piece,) = one.recording.acc, one.recording.gyro
    assert (len(acc.counts), len(gyro_piece.counts), one.remarks) == (10, 9, ())
    assert gyro_piece.t_ms is not None
    assert gyro_piece.t_ms.tolist() == [n * 20 for n in range(10) if n != 4]


@pytest.mark.parametrize("word", ["idle", "Rest", "NONE", "null", "NaN", "0", "-"])
def test_words_for_nothing_are_no_exercise(tmp_path: Path, word: str):
    about = (
        [(word, 0, 0, 0.0)] * 2 + [("row", "nan", "nan", "")] * 3 + [(word, "-", "nan", "0")] * 2
    )
    (one,) = read(written(tmp_path, HEAD, *(line(n, *what) for n, what in enumerate(about))))
    (done,) = one.sets
    assert (done.exercise, done.reps, done.weight_kg) == ("row", None, None)
    assert ((done.start_ns - T0_NS) // STEP_NS, (done.end_ns - T0_NS) // STEP_NS) == (2, 5)
    (said,) = one.remarks
    assert said.endswith(f"lines whose exercise is {word} belong to no set.")


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


@pytest.mark.parametrize("irregular", [False, True])
def test_one_blow_makes_the_steps_of_its_own_chunk_coarse_alone(tmp_path: Path, *, irregular: bool):
    n = 3 * 4096
    values = sines(np.arange(n) / 50)
    values[5000, 0] = 900.0
    t_ms = np.arange(n) * 20 + (np.arange(n) % 3 if irregular else 0)
    (one,) = read(written_times(tmp_path, t_ms, values))
    pieces = one.recording.acc
    assert [len(piece.counts) for piece in pieces] == [4096] * 3
    assert pieces[1].scale == pytest.approx(900 / 32767)
    for first, piece in zip((0, 4096, 8192), pieces, strict=True):
        assert piece.t0_ns == T0_NS + int(t_ms[first]) * 10**6
        assert (piece.t_ms is not None) == irregular
        off = np.abs(piece.counts * piece.scale - values[first : first + 4096])
        assert off.max() <= piece.scale / 2 + 1e-6
    assert max(pieces[0].scale, pieces[2].scale) < 1e-3
    assert pieces[0].t_ms is None or pieces[2].t_ms is None or pieces[2].t_ms[0] == 0


def test_strong_movement_is_one_piece(tmp_path: Path):
    n = 2 * 4096
    values = sines(np.arange(n) / 50)
    values[5000, 0] = 15 * np.quantile(np.abs(values), 0.999)
    (one,) = read(written_times(tmp_path, np.arange(n) * 20, values))
    assert [len(piece.counts) for piece in one.recording.acc] == [n]


@pytest.mark.parametrize("content", [b"", b"\xff\xfet\x00", b'time_s,"acc_x_g'])
def test_files_that_are_not_csv_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "watch.csv").write_bytes(content)
    with pytest.raises(BadInput, match=r"watch\.csv is (empty|no CSV in UTF-8)"):
        read(tmp_path / "watch.csv")


def test_folder_is_read_file_by_file_in_order_of_names(tmp_path: Path):
    with pytest.raises(BadInput, match=r"has no \.csv file"):
        read(tmp_path)
    with pytest.raises(BadInput, match="No such file"):
        read(tmp_path / "nothing.csv")
    (tmp_path / "notes.txt").write_text("not a recording")
    written(tmp_path, HEAD, line(10), line(11), name="b.csv")
    written(tmp_path, HEAD, line(0), line(1), name="a.csv")
    assert [Path(one.origin).name for one in read(tmp_path)] == ["a.csv", "b.csv"]
    written(tmp_path, HEAD, line(0), line(1), line(2), name="c.csv")
    with pytest.raises(BadInput, match=r"a\.csv and .*c\.csv begin at the same time"):
        read(tmp_path)


def test_spreadsheet_exports_with_bom_and_empty_rows_are_accepted(tmp_path: Path):
    path = tmp_path / "watch.csv"
    text = "\r\n".join([HEAD.upper(), line(0), ",,,,,,,", line(1), ""])
    path.write_bytes(text.encode("utf-8-sig"))
    assert len(read(path)[0].recording.acc[0].counts) == 2
