"""Numba's threads: its kernels take as many as they are given here."""

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def at_most_threads(threads: int) -> Generator[None]:
    """Inside of the block kernels of numba use at most this many threads.

    More than it has now are not given; afterwards it has as many as before.
    """
    import numba  # when a kernel runs: it takes long to import

    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)
