"""One BLAS thread: products summed by two threads differ in their last bits from those by one."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


def one_blas_thread(work: Callable[P, R]) -> Callable[P, R]:
    """The same function with the same bytes on every machine of a kind, however it was started."""

    @wraps(work)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return work(*args, **kwargs)

    return alone


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """Looking for the libraries takes milliseconds: once a process."""
    return ThreadpoolController()
