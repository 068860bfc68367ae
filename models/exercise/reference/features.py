"""All features of windows: the channels side by side, then what they have in common."""

import numpy as np
from numpy.typing import NDArray

from models.exercise.reference.channels import channels
from models.exercise.reference.joint import joint
from models.exercise.reference.single import mean_of, single

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width


def features(acc: Array, gyro: Array | None) -> Array:
    """Features of windows, float32 (m, 515) or (m, 214); arguments as of the kernel's.

    >>> features(np.ones((2, 3, 200), np.float32), None).shape
    (2, 214)
    """
    c = channels(acc, gyro)
    mean = mean_of(c.every)
    centred = c.every - mean[..., None]
    alone = single(c.every, centred, mean)
    return np.concatenate([alone.reshape(len(acc), -1), joint(c, centred)], axis=1)
