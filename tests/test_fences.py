"""The fences between the rooms: kept as they stand, and each one breaks when it is crossed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ROOMS = ("schemas", "models", "store", "ingest", "pipelines", "api", "muvr", "examples", "bench")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [command, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(
            CHECKOUT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_rooms_keep_their_fences(copy: Path):
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        ("models", "import store.database"),
        ("models", "import httpx"),
        ("models", "import onnx"),
        ("models", "import urllib.request"),
        ("models", "import socket"),
        ("models", "import duckdb"),
        ("models", "import sklearn.linear_model"),
        ("models", "import bench.deployment"),
        ("schemas", "import models.codec"),
        ("schemas", "import httpx"),
        ("schemas", "import duckdb"),
        ("schemas", "import sklearn"),
        ("schemas", "import examples"),
        ("api", "import bench.deployment"),
        ("store", "import ingest"),
        ("ingest", "import cassandra.cluster"),
        ("api", "import pyspark"),
        ("api", "import pipelines"),
        ("pipelines", "import api"),
        ("pipelines", "import ingest"),
        ("pipelines/spark", "import pipelines.lifecycle.runs"),
        ("pipelines/lifecycle", "import pipelines.exercise.job"),
        ("pipelines/personal", "import pipelines.clusters"),
        ("examples", "import schemas.wire"),
    ],
)
def test_a_forbidden_import_breaks_a_fence(copy: Path, room: str, statement: str):
    (copy / room / "trespass.py").write_text(f"{statement}\n")
    result = lint_imports(copy)
    assert result.returncode != 0
    assert "trespass" in result.stdout


@pytest.mark.parametrize("statement", ["import pyspark", "import store.models"])
def test_what_runs_on_executors_stays_without_spark_and_cassandra(copy: Path, statement: str):
    lesson = copy / "pipelines" / "exercise" / "lesson.py"
    lesson.write_text(f"{lesson.read_text()}\n{statement}\n")
    result = lint_imports(copy)
    assert result.returncode != 0
    assert "pipelines.exercise.lesson" in result.stdout
