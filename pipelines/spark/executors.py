"""What goes wrong on Spark's executors, told as if it had gone wrong here."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from pyspark.errors import PythonException

from schemas.errors import NoKernel

_NO_KERNEL = re.compile(r"^schemas\.errors\.NoKernel: (.*)$", re.MULTILINE)


@contextmanager
def executors_kernel() -> Generator[None]:
    """Raise an executor's `NoKernel` as itself: Spark's text of it ends with the reason.

    Raises:
        NoKernel: the executors' environment has no compiled code, or that of another release.
    """
    try:
        yield
    except PythonException as problem:
        found = _NO_KERNEL.search(str(problem))
        if found is None:
            raise
        raise NoKernel(
            f"On a Spark executor: {found[1].removesuffix(NoKernel.NEXT_STEP).strip()}",
            next_step="Build spark.archive again, as docs/operating.md says; without one, run "
            "`make .venv/runtime` in the checkout of the executors.",
        ) from problem
