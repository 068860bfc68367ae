"""CSV imports: samples and sets, and errors that name file, line, column and value."""

from pathlib import Path

import numpy as np
import pytest

from schemas.errors import BadInput
from tests.ingest.csv_watch import BARE, HEAD, T0_NS, line, read, written, written_times
from tests.models.streams import sines


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
