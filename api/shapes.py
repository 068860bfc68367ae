"""Shapes that several answers share."""

from pydantic import BaseModel

from models.exercise.model import Level


class ModelName(BaseModel):
    """Which model answered."""

    family: str
    level: Level
    version: str
