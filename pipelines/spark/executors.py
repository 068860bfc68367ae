"""What goes wrong on Spark's executors, told as if it had gone wrong here."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from pyspark.errors import PythonException

from schemas.errors import NoKernel, OtherRules

_NO_KERNEL = re.compile(r"^schemas\.errors\.NoKernel: (.*)$", re.MULTILINE)
_OTHER_RULES = re.compile(r"^schemas\.errors\.OtherRules: (.*)$", re.MULTILINE)
_AGAIN = "Build spark.archive again, as docs/operating.md says; without one, run "


@contextmanager
def executors_environment() -> Generator[None]:
    """Raise what an executor's environment lacks as itself: Spark's text ends with the reason.

    Raises:
        NoKernel: it has no compiled code, or that of another release.
        OtherRules: its rules of time zones are of another version.
    """
    try:
        yield
    except PythonException as problem:
        text = str(problem)
        if found := _NO_KERNEL.search(text):
            raise NoKernel(
                f"On a Spark executor: {found[1].removesuffix(NoKernel.NEXT_STEP).strip()}",
                next_step=f"{_AGAIN}`make .venv/runtime` in the checkout of the executors.",
            ) from problem
        if found := _OTHER_RULES.search(text):
            raise OtherRules(
                f"On a Spark executor: {found[1].strip()}",
                next_step=f"{_AGAIN}`make .venv/runtime` in the checkout whose version is older.",
            ) from problem
        raise
