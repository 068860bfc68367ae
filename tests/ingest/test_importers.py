"""Importers reproduce the content of their sources."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ingest.importers import spar as spar_module
from ingest.importers.gym import read_gym
from ingest.importers.imported import ImportedRecording
from ingest.importers.spar import read_spar
from ingest.importers.wheel import fetch_wheel
from schemas.config_file import load_config
from schemas.errors import BadInput
from tests.cassandra_node import CHECKOUT
from tests.ingest.gym_folder import gym_folder


def test_cached_wheel_with_a_wrong_hash_is_refused(tmp_path: Path):
    (tmp_path / "seglearn-1.2.5-py3-none-any.whl").write_bytes(b"of somebody else")
    with pytest.raises(BadInput, match="SHA-256") as refused:
        fetch_wheel("seglearn", tmp_path)
    assert refused.value.next_step.startswith("Delete")


def test_spar_is_imported_completely(spar: list[ImportedRecording]):
    assert len(spar) == 140
    assert sum(len(r.recording.acc[0].counts) for r in spar) == 244_102
    assert sorted(Counter(r.person for r in spar).values()) == [14] * 10
    assert Counter((r.sets[0].exercise, r.recording.side) for r in spar) == {
        (name, side): 10 for name in spar_module.EXERCISES.values() for side in ("left", "right")
    }


def test_spar_is_converted_to_g_without_clipping(spar: list[ImportedRecording]):
    pieces = [recording.recording.acc[0] for recording in spar]
    assert max(int(np.abs(piece.counts).max()) for piece in pieces) < 32_000
    norms = np.concatenate([np.linalg.norm(p.counts * p.scale, axis=1) for p in pieces])
    assert np.median(norms) == pytest.approx(1, abs=0.1)  # mostly slow movement in gravity


def test_recordings_of_a_person_do_not_overlap(spar: list[ImportedRecording]):
    for person in {r.person for r in spar}:
        spans = sorted((r.sets[0].start_ns, r.sets[0].end_ns) for r in spar if r.person == person)
        assert all(end < start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))


def test_gym_segments_are_joined_into_one_recording(tmp_path: Path):
    (recording,) = read_gym(gym_folder(tmp_path))
    acc = recording.recording.acc[0]
    assert acc.counts[:, 0].tolist() == list(range(0, 3000, 10))
    assert acc.t_ms is not None
    assert acc.t_ms.tolist() == list(range(0, 3000, 10))
    (done,) = recording.sets
    assert (done.start_ns - acc.t0_ns, done.end_ns - acc.t0_ns) == (10**9, 2 * 10**9)
    assert (done.exercise, done.variant, done.reps, done.weight_kg) == (
        "bicepcurl",
        "PREC",
        4,
        12.5,
    )
    assert done.reps_audited is None


def test_audited_repetitions_are_kept_beside_the_labels(tmp_path: Path):
    folder = gym_folder(tmp_path)
    (folder / "audited_reps.csv").write_text("segment,reps_audited\n7,5\n")
    assert read_gym(folder)[0].sets[0].reps_audited == 5


def test_folder_without_the_expected_files_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"segments\.csv"):
        read_gym(tmp_path)


def test_spar_is_read_again_after_its_arrays_were_cut_short(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A disk that is full in the middle of the first import must not spoil the later ones."""
    wheel = fetch_wheel("seglearn", load_config(CHECKOUT / "conf.yaml").paths.datasets)
    monkeypatch.setattr(spar_module, "fetch_wheel", lambda *_: wheel)

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("store.synced.sync", full)
        with pytest.raises(OSError, match="No space"):
            read_spar(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(read_spar(tmp_path)) == 140
