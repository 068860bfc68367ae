"""Gym folders of other hands: what is read all the same, and what is refused by name."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.importers.gym import read_gym
from schemas.errors import BadInput
from tests.ingest.gym_folder import gym_folder


def with_cell(folder: Path, column: str, text: str, *, segment: int = 7) -> Path:
    """A folder in which one cell of `segments.csv` is another."""
    path = folder / "segments.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row[column] = text if row["segment"] == str(segment) else row[column]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def with_another_segment(folder: Path, started: str) -> Path:
    """A folder with a set that has no samples."""
    with (folder / "segments.csv").open("a") as file:
        file.write(f"9,active,2024-01-02,{started},PREC,BicepCurl,10,2,8,0,0.0\n")
    return folder


@pytest.mark.parametrize(("text", "reps"), [("12.0", 12), ("", None), (" 8 ", 8)])
def test_repetitions_are_read_as_a_table_tool_writes_them(
    tmp_path: Path, text: str, reps: int | None
):
    assert read_gym(with_cell(gym_folder(tmp_path), "reps", text))[0].sets[0].reps == reps


@pytest.mark.parametrize("text", ["12.5", "8+2", "many", "inf"])
def test_a_set_whose_repetitions_are_no_whole_number_has_none_and_is_told(
    tmp_path: Path, text: str
):
    (recording,) = read_gym(with_cell(gym_folder(tmp_path), "reps", text))
    assert [(done.reps, done.weight_kg) for done in recording.sets] == [(None, 12.5)]
    (said,) = recording.remarks
    assert f"segments.csv segment 7, column reps: '{text}' is" in said
    assert said.endswith("its set has no number of repetitions.")


def test_nothing_is_told_of_a_folder_that_is_used_as_it_is(tmp_path: Path):
    assert read_gym(gym_folder(tmp_path))[0].remarks == ()


def with_column(folder: Path, name: str, values: np.ndarray) -> Path:
    """A folder in which one column of the samples is another."""
    path = folder / "samples.parquet"
    table = pq.read_table(path)
    at = table.column_names.index(name)
    pq.write_table(table.set_column(at, name, pa.array(values)), path)
    return folder


def test_values_over_16_bits_keep_their_sign_and_nearly_their_value(tmp_path: Path):
    blow = np.full(300, 1000)
    blow[:2] = 40_000, -40_000  # 40 g
    (recording,) = read_gym(with_column(gym_folder(tmp_path), "ay_mg", blow))
    acc = recording.recording.acc[0]
    y_g = acc.counts[:, 1] * acc.scale
    assert sorted(y_g.tolist())[:1] == pytest.approx([-40], abs=0.01)
    assert max(y_g.tolist()) == pytest.approx(40, abs=0.01)
    assert np.median(y_g) == pytest.approx(1, abs=0.001)
    assert recording.recording.gyro[0].scale == 0.001  # of its own


@pytest.mark.parametrize(("column", "unit"), [("ax_mg", "g"), ("gy_mrads", "rad/s")])
def test_floats_in_the_unit_itself_are_refused_with_what_to_multiply(
    tmp_path: Path, column: str, unit: str
):
    folder = gym_folder(tmp_path)
    for name in [f"{column[0]}{axis}{column[2:]}" for axis in "xyz"]:
        with_column(folder, name, np.linspace(-1, 0.5, 300))
    with_column(folder, column, np.linspace(-9.8, 3, 300))
    with pytest.raises(BadInput, match=rf"{column}: .* is 9\.8, as if in {unit}\. .* by 1000"):
        read_gym(folder)


@pytest.mark.parametrize("value", [2e6, -1e300])
def test_values_that_no_wrist_reaches_are_refused_by_column(tmp_path: Path, value: float):
    folder = with_column(gym_folder(tmp_path), "az_mg", np.full(300, value))
    with pytest.raises(
        BadInput, match=r"column az_mg: .* must lie within ±1e\+06, thousandths of g"
    ):
        read_gym(folder)


def test_floats_are_rounded(tmp_path: Path):
    (recording,) = read_gym(with_column(gym_folder(tmp_path), "ax_mg", np.full(300, 999.7)))
    assert set(recording.recording.acc[0].counts[:, 0].tolist()) == {1000}


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path):
    folder = gym_folder(tmp_path)
    (folder / "audited_reps.csv").write_text("segment,reps_audited\n7,5\n", "utf-8-sig")
    path = folder / "segments.csv"
    path.write_text(path.read_text(), "utf-8-sig")
    (recording,) = read_gym(folder)
    assert recording.sets[0].reps_audited == 5


@pytest.mark.parametrize(
    ("table", "audited"),
    [
        ("segment,reps_audited\n7,\n", None),
        ("segment,reps_audited\n7.0,5.0\n8,\n", 5),
        ("segment,note\n7,seen\n", None),
        ("segment,reps_audited\n7\n", None),
    ],
)
def test_a_set_whose_count_was_not_made_again_keeps_its_label(
    tmp_path: Path, table: str, audited: int | None
):
    folder = gym_folder(tmp_path)
    (folder / "audited_reps.csv").write_text(table)
    assert read_gym(folder)[0].sets[0].reps_audited == audited


def test_segments_and_recordings_without_samples_are_left_out(tmp_path: Path):
    for started in ("2024-01-02T03-04-05", "2024-01-02T09-00-00"):
        (recording,) = read_gym(with_another_segment(gym_folder(tmp_path), started))
        assert [done.reps for done in recording.sets] == [4]


def test_a_folder_without_any_recording_is_refused(tmp_path: Path):
    folder = gym_folder(tmp_path)
    table = pq.read_table(folder / "samples.parquet")
    pq.write_table(table.slice(0, 0), folder / "samples.parquet")
    with pytest.raises(BadInput, match=r"holds no recording: no segment .* has rows"):
        read_gym(folder)


def test_a_missing_day_is_that_of_the_start_and_a_missing_code_the_name(tmp_path: Path):
    folder = with_cell(gym_folder(tmp_path), "day", "")
    (recording,) = read_gym(with_cell(folder, "code", ""))
    assert recording.day == "2024-01-02"
    assert recording.sets[0].variant == "bicepcurl"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("weight_kg", "bodyweight"),
        ("weight_kg", "inf"),
        ("started", "2024-01-02 03:04"),
        ("kind", "rest"),
        ("name", ""),
    ],
)
def test_what_cannot_be_read_is_named_by_file_segment_and_column(
    tmp_path: Path, column: str, text: str
):
    folder = with_cell(gym_folder(tmp_path), column, text)
    with pytest.raises(BadInput, match=rf"segments\.csv segment 7, column {column}: '{text}' is"):
        read_gym(folder)


def test_an_audit_or_a_number_that_cannot_be_read_is_named_too(tmp_path: Path):
    folder = gym_folder(tmp_path)
    (folder / "audited_reps.csv").write_text("segment,reps_audited\n7,five\n")
    with pytest.raises(BadInput, match=r"audited_reps\.csv segment 7, column reps_audited"):
        read_gym(folder)
    (folder / "audited_reps.csv").unlink()
    with pytest.raises(BadInput, match="segment without a number, column segment"):
        read_gym(with_cell(folder, "segment", ""))


def test_missing_columns_and_other_formats_are_refused_by_name(tmp_path: Path):
    folder = gym_folder(tmp_path)
    table = pq.read_table(folder / "samples.parquet")
    pq.write_table(table.drop_columns(["gx_mrads"]), folder / "samples.parquet")
    with pytest.raises(BadInput, match=r"samples\.parquet has no column gx_mrads"):
        read_gym(folder)
    empty = pa.array([None] * table.num_rows, pa.int16())
    pq.write_table(
        table.set_column(table.column_names.index("ax_mg"), "ax_mg", empty),
        folder / "samples.parquet",
    )
    with pytest.raises(BadInput, match=r"samples\.parquet, column ax_mg: not every row"):
        read_gym(folder)
    (folder / "samples.parquet").write_bytes(np.zeros(9).tobytes())
    with pytest.raises(BadInput, match=r"samples\.parquet cannot be read as Parquet"):
        read_gym(folder)
    pq.write_table(table, folder / "samples.parquet")
    (folder / "segments.csv").write_bytes("segment,na\u00efve\n".encode("latin-1"))
    with pytest.raises(BadInput, match=r"segments\.csv is no CSV in UTF-8"):
        read_gym(folder)
    (folder / "segments.csv").write_text("segment,kind\n")
    with pytest.raises(BadInput, match=r"segments\.csv has no column day, started, code"):
        read_gym(folder)
