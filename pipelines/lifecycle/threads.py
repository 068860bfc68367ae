"""One BLAS thread: products summed by two threads differ in their last bits from those by one."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Compute with one BLAS thread, so that machines of a kind give the same bytes.

    For a `with` block, or for a whole function as `@one_blas_thread()`.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """The controller of all BLAS libraries, found once: looking for them takes milliseconds."""
    return ThreadpoolController()
