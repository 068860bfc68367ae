"""What may change a model's last bits beside its data. Pure."""

import hashlib
import platform
from functools import lru_cache

import numpy as np
import scipy
from threadpoolctl import threadpool_info


@lru_cache(maxsize=1)
def environment() -> str:
    """Digest of what may change a model's last bits: the libraries and the BLAS kernel.

    Equal digest and equal data digest: equal bytes. Otherwise the golden vector holds within
    tolerance.
    """
    kernels = sorted(
        f"{pool.get('internal_api')} {pool.get('version')} {pool.get('architecture')}"
        for pool in threadpool_info()
        if pool.get("user_api") == "blas"
    )
    facts = [platform.machine(), platform.python_version(), np.__version__, scipy.__version__]
    return hashlib.sha256("\n".join([*facts, *kernels]).encode()).hexdigest()[:16]
