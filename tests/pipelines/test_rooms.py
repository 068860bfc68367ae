"""The packed rooms are complete: every job is imported from them without the checkout."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import pipelines
from muvr.replay import rebuild_user
from pipelines.spark.rooms import CHECKOUT, pack_rooms
from pipelines.spark.session import options, workers_python
from pipelines.spark.shared_file import replace_file
from schemas.config import Config, Spark
from schemas.config_file import load_config

IMPORT = """
import importlib, sys
packed, libraries, *tasks = sys.argv[1:]
sys.path[:] = [packed, *(path for path in sys.path if "lib/python" in path), libraries]
for task in tasks:
    print(importlib.import_module(task).__file__)
"""
# Executors import a job's functions by module name. All modules of jobs are imported here, also
# those that run only on the driver, so that none can be forgotten.
OF_JOBS = sorted(
    ".".join(file.relative_to(CHECKOUT).with_suffix("").parts)
    for file in Path(pipelines.__path__[0]).rglob("*.py")
    if file.stem != "__init__"
)
TASKS = [*OF_JOBS, rebuild_user.__module__]


def test_packed_rooms_import_every_job_without_the_checkout(tmp_path: Path):
    packed = pack_rooms(tmp_path / "reports")
    libraries = sysconfig.get_paths()["purelib"]
    command = [sys.executable, "-I", "-S", "-c", IMPORT, str(packed), libraries, *TASKS]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == [f"{packed}/{task.replace('.', '/')}.py" for task in TASKS]


def test_packing_the_same_code_gives_the_same_bytes(tmp_path: Path):
    first, second = (pack_rooms(tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_rooms_are_shipped_only_to_a_remote_master(tmp_path: Path):
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
def test_standalone_cores_are_set_to_give_the_configured_number_of_executors(
    tmp_path: Path, executors: int, cores: int, each: str, all_of_them: str
):
    known = load_config(CHECKOUT / "conf.yaml")
    paths = known.paths.model_copy(update={"reports": tmp_path})
    image = {"spark.kubernetes.container.image": "muvr"}
    spark = Spark(master="spark://a:7077", executors=executors, cores=cores, options=image)
    there = options(Config(paths=paths, spark=spark))
    assert (there["spark.executor.cores"], there["spark.cores.max"]) == (each, all_of_them)
    assert there["spark.kubernetes.container.image"] == "muvr"


def test_workers_use_the_packed_python_on_other_machines_only():
    packed = Spark(master="spark://a:7077", archive="environment.tar.gz")
    assert workers_python(Config(spark=packed)) == "environment/bin/python"
    for spark in (Spark(archive="environment.tar.gz"), Spark(master="spark://a:7077")):
        assert workers_python(Config(spark=spark)) == sys.executable


def test_file_that_executors_fetch_is_replaced_as_a_whole(tmp_path: Path):
    path = replace_file(tmp_path / "reports" / "rooms.zip", b"the first content")
    with path.open("rb") as fetched:
        assert replace_file(path, b"the second") == path
        assert fetched.read() == b"the first content"
    assert path.read_bytes() == b"the second"
    before = path.stat()
    replace_file(path, b"the second")
    assert path.stat().st_ino == before.st_ino, "equal content is left alone"
    assert list(path.parent.iterdir()) == [path]
