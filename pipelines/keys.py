"""The types that pass between driver and executors: keys, rows, incumbents. Pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

KEY = ("user_id", "model_id")
"""The partition key of whatever is learned from samples: a user and an input layout."""

UserKey = tuple[UUID, str]
"""A partition of `KEY`, as the driver names it."""

Key = tuple[object, ...]
"""A partition's key as Spark hands it over."""

Row = dict[str, Any]
"""A row as it comes back from the executors."""

IncumbentBytes = tuple[bytes, datetime]
"""A model that serves, as bytes, and the time of the newest set that it learned from."""
