"""The types that pass between driver and executors: keys and rows. Pure."""

from typing import Any
from uuid import UUID

KEY = ("user_id", "model_id")
"""The partition key of tables with samples: a user and an input layout."""

UserKey = tuple[UUID, str]
"""A partition's key on the driver."""

RowKey = tuple[Any, ...]
"""A row's clustering columns, which tell it from the others of its partition, on the driver."""

Key = tuple[object, ...]
"""A partition's key on the executors, in the form in which Spark hands it over."""

Row = dict[str, Any]
"""A row that comes back from the executors."""
