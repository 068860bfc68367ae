"""The packed rooms are whole: a Python that sees nothing else of the checkout imports every job."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import pipelines
from muvr.replay import rebuild_user
from pipelines.spark.rooms import CHECKOUT, pack_rooms
from pipelines.spark.session import options
from schemas.config import Config, Spark
from schemas.config_file import load_config

IMPORT = """
import importlib, sys
packed, libraries, *tasks = sys.argv[1:]
sys.path[:] = [packed, *(path for path in sys.path if "lib/python" in path), libraries]
for task in tasks:
    print(importlib.import_module(task).__file__)
"""
# A job's functions go to the executors by the names of their modules. All modules of jobs are
# asked, those that stay on the driver as well: so none can be forgotten.
OF_JOBS = sorted(
    ".".join(file.relative_to(CHECKOUT).with_suffix("").parts)
    for file in Path(pipelines.__path__[0]).rglob("*.py")
    if file.stem != "__init__"
)
TASKS = [*OF_JOBS, rebuild_user.__module__]


def test_a_python_elsewhere_imports_what_jobs_run_from_the_packed_rooms(tmp_path: Path):
    packed = pack_rooms(tmp_path / "reports")
    libraries = sysconfig.get_paths()["purelib"]
    command = [sys.executable, "-I", "-S", "-c", IMPORT, str(packed), libraries, *TASKS]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == [f"{packed}/{task.replace('.', '/')}.py" for task in TASKS]


def test_the_same_code_is_the_same_file(tmp_path: Path):
    first, second = (pack_rooms(tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_only_a_session_past_this_machine_takes_the_rooms_along(tmp_path: Path):
    known = load_config(CHECKOUT / "conf.yaml")
    paths = known.paths.model_copy(update={"reports": tmp_path})
    here = options(Config(paths=paths))
    assert "spark.submit.pyFiles" not in here
    assert here["spark.executorEnv.PYTHONPATH"]
    there = options(Config(paths=paths, spark=Spark(master="spark://driver:7077")))
    assert there["spark.submit.pyFiles"] == str(tmp_path / "rooms.zip")
    assert "spark.executorEnv.PYTHONPATH" not in there


@pytest.mark.parametrize(
    ("executors", "cores", "each", "all_of_them"), [(4, 2, "1", "4"), (2, 7, "4", "8")]
)
def test_a_standalone_master_gives_as_many_executors_as_are_asked_for(
    tmp_path: Path, executors: int, cores: int, each: str, all_of_them: str
):
    known = load_config(CHECKOUT / "conf.yaml")
    paths = known.paths.model_copy(update={"reports": tmp_path})
    image = {"spark.kubernetes.container.image": "muvr"}
    spark = Spark(master="spark://a:7077", executors=executors, cores=cores, options=image)
    there = options(Config(paths=paths, spark=spark))
    assert (there["spark.executor.cores"], there["spark.cores.max"]) == (each, all_of_them)
    assert there["spark.kubernetes.container.image"] == "muvr"
