"""Fixtures with real components, each started once per run; stable ids of parametrized tests."""

from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.recordings",
    "tests.cassandra_node",
    "tests.spark_session",
    "tests.first_failures",
]

# An example that takes long on a busy machine is no fault of what is tested.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their length: a gzip body holds the second it was packed in.

    Two workers that collect a second apart would name such a case differently, and pytest-xdist
    refuses to run a session whose workers do not hold the same tests.
    """
    return f"{len(val)}_bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of tests that are coroutines: the service's."""
    return "asyncio"


@pytest.fixture
def family() -> str:
    """A job family of this test alone, as the keyspace is shared."""
    return f"test-{uuid4()}"


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with packages and modules that are named like ours and fail when imported."""
    folder = tmp_path_factory.mktemp("strangers")
    for name in ("api/__init__.py", "models/__init__.py", "muvr/__init__.py", "schemas.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"raise RuntimeError('{name} of the folder it runs in')\n")
    return folder
