"""Model downloads: ETags, three formats that compute the same, rollback."""

import asyncio
import hashlib
import time
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from api.models import _best
from examples.client import Client
from ingest.importers.imported import ImportedRecording
from models.exercise.codec import from_bytes
from models.exercise.model import ExerciseModel
from models.history import SetLog
from models.intensity.codec import to_bytes
from models.intensity.fit import IntensitySettings, fit_intensity
from models.intensity.model import IntensityModel
from models.population.simulate import simulate_user
from pipelines.exercise.global_models import STATISTICS
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
    for one in (answer, again, other):  # a cache between must ask, and tell users apart
        assert one.headers["cache-control"] == "private, no-cache"
        assert one.headers["vary"] == "Authorization"
    assert entry["sha256"] == kept.sha256.hex()
    assert entry["bytes"] == len(kept.content)


def test_the_list_has_a_strong_etag_until_another_model_serves(
    service: RunningService, person: Person, model: ExerciseModel
):
    with person.client() as client:
        none = client.get("/v1/me/models")
        promote(service, stored(model, owner_of(person.user_id)))
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


def test_inputs_after_the_first_with_a_model_of_the_users_own_are_not_loaded():
    asked: list[str] = []

    own, of_all = SimpleNamespace(level="user"), SimpleNamespace(level="global")

    async def find(user_id: UUID, layout: str, family: str) -> SimpleNamespace | None:
        asked.append(layout)
        return {"wrist-acc3": own, "wrist-acc6": of_all}.get(layout)

    services: Any = SimpleNamespace(models=SimpleNamespace(find=find))

    def best(*layouts: Any) -> object:
        asked.clear()
        return asyncio.run(_best(services, UUID(int=1), layouts, "exercise"))

    assert best("wrist-acc6", "wrist-acc3", "sets") is own
    assert asked == ["wrist-acc6", "wrist-acc3"]
    assert best("sets", "wrist-acc6") is of_all
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


def test_what_only_training_reads_is_neither_served_nor_loaded(
    service: RunningService, person: Person, model: ExerciseModel
):
    """The sums over everybody serve as well, for training: they are no family of clients."""
    sums = stored(model, "global")._replace(family=STATISTICS)
    promote(service, sums)
    try:
        with person.client() as client:
            answer = client.get(f"/v1/me/models/{STATISTICS}")
            named = client.get(
                f"/v1/me/models/{STATISTICS}",
                headers={"If-None-Match": "*"},
                params={"model_id": sums.model_id},
            )
        assert (answer.status_code, named.status_code) == (404, 404)
        assert answer.json()["type"] == "urn:muvr:problem:no-model"
        assert answer.json()["detail"].startswith(f"No family '{STATISTICS}' has models; ")
        assert all(loaded.key.family != STATISTICS for loaded in service.services.models._versions)
    finally:
        service.run(service.services.models.champions.remove(sums.key))
        forget_pointers(service, "global")


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
    forget_pointers(service, kept.owner)
    with person.client() as client:
        assert client.get("/v1/me/models/exercise").status_code == 404


def test_users_without_a_model_are_served_the_global_model(
    service: RunningService, person: Person, model: ExerciseModel
):
    run_id = uuid.uuid4()
    of_members = {"members": 2, "trained_until": "2026-11-21", "metrics": {"own": [9, 9]}}
    X1 = stored(model, "global", run_id)
    X1 = X1._replace(manifest={**X1.manifest, **of_members})
    promote(service, X1)
    try:
        with person.client() as client:
            answer = client.get("/v1/me/models/exercise")
            (entry,) = client.get("/v1/me/models").json()["models"]
        assert entry["manifest"] == {"labels": list(model.labels)}, "and nothing of its members"
        assert answer.headers["muvr-model"] == f"exercise/global/{X1.version}"
        assert from_bytes(answer.content).labels == model.labels
    finally:
        service.run(
            service.services.models.champions.remove(ModelKey.of_global("wrist-acc6", "exercise"))
        )
        forget_pointers(service, "global")


def test_an_unreadable_model_is_not_listed_or_served(
    service: RunningService, person: Person, kept: StoredModel, model: ExerciseModel
):
    """Such as one of a release with other features: the global model is served instead."""
    of_all = stored(model, "global")

    def served() -> tuple[str | None, list[tuple[str, str]]]:
        with person.client() as client:
            answer = client.get("/v1/me/models/exercise")
            listed = client.get("/v1/me/models").json()["models"]
        return answer.headers.get("muvr-model"), [(one["family"], one["level"]) for one in listed]

    content = b"of another release"
    sha256 = hashlib.sha256(content).digest()
    promote(service, kept._replace(content=content, sha256=sha256, version=version_of(sha256)))
    assert served() == (None, [])
    promote(service, of_all)
    try:
        assert served() == (f"exercise/global/{of_all.version}", [("exercise", "global")])
    finally:
        service.run(
            service.services.models.champions.remove(ModelKey.of_global("wrist-acc6", "exercise"))
        )
        forget_pointers(service, "global")
