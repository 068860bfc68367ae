"""All features of windows: the channels side by side, then what they have in common."""

import numpy as np

from models.arrays import Floats, Floats64
from models.exercise.names import computed_columns
from models.exercise.reference.channels import channels
from models.exercise.reference.joint import joint
from models.exercise.reference.single import single


def features(acc: Floats, gyro: Floats | None) -> Floats64:
    """Features of windows, (m, 515) or (m, 214); arguments as of the kernel's.

    >>> features(np.ones((2, 3, 200), np.float32), None).shape
    (2, 214)
    """
    rotation = None if gyro is None else gyro.astype(np.float64)
    c = channels(acc.astype(np.float64), rotation)
    computed = np.concatenate([single(c.every).reshape(len(acc), -1), joint(c)], axis=1)
    return computed[:, computed_columns(gyro is not None)]
