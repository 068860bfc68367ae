"""Counts of sets as a sparse matrix of users and exercises."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats64, Ints32, Ints64
from schemas.errors import BadInput


@dataclass(frozen=True, slots=True)
class Counts:
    """A sparse matrix, row by row; a row's columns ascend.

    Attributes:
        starts: int64 (rows + 1,): row r has the entries starts[r] to starts[r + 1].
        columns: int32 (entries,).
        values: float64 (entries,), greater than 0.
        last_s: float64 (entries,): when it was done last, seconds since the epoch.
        width: number of columns.
    """

    starts: Ints64
    columns: Ints32
    values: Floats64
    last_s: Floats64
    width: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self.starts) - 1

    def row(self, number: int) -> tuple[Ints32, Floats64]:
        """(columns, values) of one row."""
        part = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return self.columns[part], self.values[part]

    def rows(self) -> Ints64:
        """The row of each entry, int64 (entries,)."""
        return np.repeat(np.arange(self.height), np.diff(self.starts))

    def block(self, first: int, last: int) -> "Counts":
        """The rows from `first` to before `last`, which may lie beyond the end."""
        starts = self.starts[first : last + 1]
        part = slice(int(starts[0]), int(starts[-1]))
        return Counts(
            starts - starts[0], self.columns[part], self.values[part], self.last_s[part], self.width
        )

    def transposed(self) -> "Counts":
        """The same entries with rows and columns exchanged."""
        return counts_of(
            self.columns, self.rows(), self.values, self.last_s, self.width, self.height
        )


def counts_of(
    rows: NDArray[np.integer],
    columns: NDArray[np.integer],
    values: Floats64,
    last_s: Floats64,
    height: int,
    width: int,
) -> Counts:
    """The matrix of triples; repeated (row, column) pairs add up and keep their latest time.

    Args:
        rows: numbers (entries,), 0 ≤ row < height.
        columns: numbers (entries,), 0 ≤ column < width.
        values: (entries,), greater than 0.
        last_s: (entries,), seconds since the epoch.
        height: number of rows.
        width: number of columns.

    Raises:
        BadInput: a number outside the matrix or a value that is not positive.
    """
    if len(rows) and (rows.min() < 0 or columns.min() < 0):
        raise BadInput("a row or column number is negative")
    if len(rows) and (rows.max() >= height or columns.max() >= width):
        raise BadInput(f"an entry lies outside of {height} rows and {width} columns")
    if not np.all(values > 0):
        raise BadInput("a count must be greater than 0")
    key = rows.astype(np.int64) * width + columns
    cells, code = np.unique(key, return_inverse=True)
    latest = np.full(len(cells), -np.inf)
    np.maximum.at(latest, code, last_s)
    row = cells // max(width, 1)
    return Counts(
        starts=np.searchsorted(row, np.arange(height + 1)).astype(np.int64),
        columns=(cells - row * width).astype(np.int32),
        values=np.bincount(code, values, minlength=len(cells)).astype(np.float64),
        last_s=latest,
        width=width,
    )
