"""The packed rooms are whole: a Python that sees nothing else of the checkout imports a job."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from pipelines.rooms import CHECKOUT, pack_rooms
from pipelines.spark import options
from schemas.config import Config, Spark, load_config

IMPORT = """
import sys
packed, libraries = sys.argv[1:]
sys.path[:] = [packed, *(path for path in sys.path if "lib/python" in path), libraries]
import pipelines.learner
print(pipelines.learner.__file__)
"""


def test_a_python_elsewhere_imports_what_a_job_runs_from_the_packed_rooms(tmp_path: Path):
    packed = pack_rooms(tmp_path / "reports")
    libraries = sysconfig.get_paths()["purelib"]
    command = [sys.executable, "-I", "-S", "-c", IMPORT, str(packed), libraries]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"{packed}/pipelines/learner.py"


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
