"""The digest of the numeric environment."""

import subprocess
import sys

import pytest

from pipelines.lifecycle.environment import environment
from tests.cassandra_node import CHECKOUT


@pytest.mark.parametrize("before", ["", "import scipy.linalg", "import scipy.signal"])
def test_digest_does_not_depend_on_what_was_imported_before(before: str) -> None:
    """Spark's workers go on from task to task, and the first digest stays."""
    program = "from pipelines.lifecycle.environment import environment; print(environment())"
    done = subprocess.run(
        [sys.executable, "-c", f"{before}\n{program}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == environment()
