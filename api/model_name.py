"""The name of the model that was used, which several responses have."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.model_cache import LoadedModel
from models.exercise.model import Level


class ModelName(BaseModel):
    """Which model a prediction is of."""

    family: str = Field(description="what it predicts, such as `exercise`")
    level: Level = Field(
        description="user: the caller's own model; global: one for all users; cluster: not in use"
    )
    version: str = Field(description="start of a hash in hex; the same one is the same model")

    @staticmethod
    def of(loaded: LoadedModel) -> "ModelName":
        """The name of a loaded model."""
        stored = loaded.stored
        return ModelName(family=stored.family, level=loaded.level, version=stored.version)


UsedModel = Annotated[ModelName, Field(description="which model was used")]
