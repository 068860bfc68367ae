"""The name of the model that answered, which several responses have."""

from pydantic import BaseModel

from models.exercise.model import Level


class ModelName(BaseModel):
    """Which model answered."""

    family: str
    level: Level
    version: str
