"""Shapes that several answers share."""

from typing import Literal

from pydantic import BaseModel


class ModelName(BaseModel):
    """Which model answered."""

    family: str
    level: Literal["user", "cluster", "global"]
    version: str
