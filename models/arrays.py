"""Arrays by the width of their numbers. Their shapes and units stand in docstrings."""

import numpy as np
from numpy.typing import NDArray

Floats16 = NDArray[np.float16]
Floats32 = NDArray[np.float32]
Floats64 = NDArray[np.float64]
Floats = NDArray[np.floating]
"""Of either width: a docstring says of which, or that any will do."""
Ints16 = NDArray[np.int16]
Ints32 = NDArray[np.int32]
Ints64 = NDArray[np.int64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
