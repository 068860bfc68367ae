"""Models and predictions are read back as they were stored."""

import uuid

import pytest

from schemas.errors import NoModel
from store.database import Database
from store.models import Models
from store.predictions import Prediction, Predictions
from tests.store.made_records import prediction
from tests.store.stored_models import NOW, a_model, an_owner


async def test_model_is_read_back_as_it_was_stored(database: Database):
    models, model = Models(database), a_model(an_owner(), b"\x00weights\xff")
    other = a_model(model.owner, b"others")
    with pytest.raises(NoModel, match=model.version):
        await models.get(model.key, model.version)
    await models.put(model)
    await models.put(model)
    await models.put(other)
    assert await models.get(model.key, model.version) == model
    assert await models.manifest(model.key, model.version) == model.manifest
    assert await models.described(model.key, model.version) == model._replace(content=b"")
    assert await models.described(model.key, "another") is None
    versions = await models.versions(model.key)
    assert {version.version for version in versions} == {model.version, other.version}
    assert {version.content for version in versions} == {b""}


async def test_predictions_of_a_session_are_replaced_together(database: Database):
    predictions = Predictions(database)
    user_id = uuid.uuid4()
    session_id = uuid.UUID("019a0000-0000-7000-8000-000000000000")

    def at(minute: int) -> Prediction:
        return prediction(user_id, session_id, NOW.replace(minute=minute))

    later, earlier, instead = at(20), at(10), at(30)
    await predictions.replace(user_id, session_id, [later, earlier])
    assert await predictions.of_session(user_id, session_id) == [earlier, later]
    await predictions.replace(user_id, session_id, [instead])
    assert await predictions.of_session(user_id, session_id) == [instead]
    await predictions.delete(user_id, session_id)
    assert await predictions.of_session(user_id, session_id) == []
