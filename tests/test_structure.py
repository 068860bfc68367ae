"""Structure of the repository: each family has the same name in every package."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from api.health import VERSION
from models import arrays
from schemas.families import FAMILIES

CHECKOUT = Path(__file__).resolve().parents[1]
EMPTY_WORDS = {"utils", "util", "helpers", "common", "misc", "manager", "base"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_model_package_tests_and_a_pipeline(family: str):
    assert (CHECKOUT / "models" / family).is_dir()
    assert (CHECKOUT / "tests" / "models" / f"test_{family}.py").is_file()
    if FAMILIES[family].kind != "kernel":
        room = CHECKOUT / "pipelines"
        assert (room / f"{family}.py").is_file() or (room / family / "job.py").is_file()


@pytest.mark.parametrize("family", [f.name for f in FAMILIES.values() if f.kind == "model"])
def test_every_model_family_has_to_bytes_and_from_bytes(family: str):
    codec = import_module(f"models.{family}.codec")
    assert callable(codec.to_bytes)
    assert callable(codec.from_bytes)


def test_no_module_has_a_generic_name():
    modules = [p for room in CHECKOUT.iterdir() if room.is_dir() for p in room.rglob("*.py")]
    assert [p for p in modules if p.stem in EMPTY_WORDS and ".venv" not in p.parts] == []


def test_the_api_version_equals_the_project_version():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_importing_the_service_does_not_import_scipy_signal():
    code = "import sys, api.app; sys.exit('scipy.signal' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0


DIMENSION = r"\w+(?: (?://|·|or|\+|-) \w+)*"  # m, n // 5, 7 or 6
SHAPE = re.compile(rf"\({DIMENSION},(?: {DIMENSION}(?:, {DIMENSION})*)?\)|scalar")
ARRAY = re.compile(rf"\b({'|'.join(n for n in vars(arrays) if n[0].isupper())})\b")


def test_public_array_functions_document_their_shapes():
    silent = []
    for module in sorted((CHECKOUT / "models").rglob("*.py")):
        for function in public_functions(ast.parse(module.read_text())):
            taken = [one.annotation for one in ast.walk(function.args) if isinstance(one, ast.arg)]
            said = [ast.unparse(one) for one in (*taken, function.returns) if one]
            if any(map(ARRAY.search, said)) and not SHAPE.search(ast.get_docstring(function) or ""):
                silent.append(f"{module.relative_to(CHECKOUT)}: {function.name}")
    assert silent == []


def public_functions(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for one in node.body:
        if isinstance(one, ast.ClassDef | ast.FunctionDef) and not one.name.startswith("_"):
            yield from [one] if isinstance(one, ast.FunctionDef) else public_functions(one)
