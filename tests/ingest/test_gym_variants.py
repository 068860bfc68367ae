"""Gym folders of other hands: what is read all the same, and what is refused by name."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.importers.gym import read_gym
from schemas.errors import BadInput
from tests.ingest.test_importers import gym_folder


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
        ("reps", "12.5"),
        ("reps", "many"),
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
