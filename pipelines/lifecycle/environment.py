"""The digest of the numeric environment, which may change a model's last bits. Pure."""

import hashlib
import platform
from functools import lru_cache

import numpy as np
import scipy
import scipy.linalg  # loads scipy's BLAS: the digest must not depend on who needed it before
from threadpoolctl import threadpool_info


@lru_cache(maxsize=1)
def environment() -> str:
    """Digest of the library versions and the BLAS kernel.

    Models with equal environments and equal data digests have equal bytes. Otherwise their golden
    vectors agree within tolerance.
    """
    kernels = sorted(
        f"{pool.get('internal_api')} {pool.get('version')} {pool.get('architecture')}"
        for pool in threadpool_info()
        if pool.get("user_api") == "blas"
    )
    facts = [platform.machine(), platform.python_version(), np.__version__, scipy.__version__]
    return hashlib.sha256("\n".join([*facts, *kernels]).encode()).hexdigest()[:16]
