"""Result rows as named tuples, with one cached type per choice of columns."""

import re
from collections import namedtuple
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

Row = Any
"""A named tuple of the selected columns."""


def named_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[Row]:
    """Rows as named tuples. The driver would create their type for every result.

    >>> named_rows(["[applied]", "owner"], [(True, "me")])
    [Row(applied=True, owner='me')]
    """
    return list(map(_row_type(tuple(columns))._make, rows))


@lru_cache(maxsize=512)
def _row_type(columns: tuple[str, ...]) -> Any:
    names = [re.sub(r"\W+", "_", column).strip("_") for column in columns]
    return namedtuple("Row", names)  # pyrefly: ignore[bad-class-definition]
