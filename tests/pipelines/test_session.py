"""The Spark session: its login at Cassandra, and which nodes its executors can reach."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.spark import session
from schemas.config import Cassandra, Config, Spark
from schemas.config_file import load_config
from schemas.errors import BadConfig
from tests.cassandra_node import CHECKOUT, ON_SPARK

PASSWORD = "known to nobody else"
OPENED = """
import json, sys
from pathlib import Path
import psutil
from pipelines.spark.session import spark_session
from schemas.config_file import load_config

def imported(_):
    import models.arrays, schemas.errors
    return models.arrays.__file__, schemas.errors.__file__

context = spark_session(load_config(Path(sys.argv[1]))).sparkContext
settings = context.getConf()
login = [settings.get(f"spark.cassandra.auth.{name}") for name in ("username", "password")]
command_lines = []
for process in psutil.Process().children(recursive=True):
    try:
        command_lines.append(process.cmdline())
    except psutil.NoSuchProcess:  # it has ended
        pass
print(json.dumps([login, command_lines, context.parallelize([0], 1).map(imported).first()]))
"""


@pytest.fixture(scope="module")
def opened(strangers: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """What a second Spark says that is started in a folder with packages named like ours."""
    folder = tmp_path_factory.mktemp("opened")
    known = load_config(CHECKOUT / "conf.yaml").model_dump(mode="json")
    known["paths"]["reports"] = str(folder)
    known["spark"]["driver_memory_mb"] = 512
    known["cassandra"] |= {"username": "muvr_service", "spark_username": "muvr_spark"}
    conf = folder / "conf.yaml"
    conf.write_text(yaml.safe_dump(known))
    done = subprocess.run(
        [sys.executable, "-P", "-c", OPENED, str(conf)],
        cwd=strangers,
        env={**os.environ, "MUVR_CASSANDRA_PASSWORD_SPARK": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.stdout, done.stderr[-4000:]
    return json.loads(done.stdout)


@ON_SPARK
@pytest.mark.timeout(900)  # starts a second Spark
def test_password_for_cassandra_is_on_no_command_line(opened: list[list[Any]]):
    login, commands, _ = opened
    assert login == ["muvr_spark", PASSWORD], "executors get it from here"
    words = [word for command in commands for word in command]
    assert any("spark.driver.host=127.0.0.1" in word for word in words), "Java was looked at"
    assert [word for word in words if PASSWORD in word] == []


@ON_SPARK
@pytest.mark.timeout(900)  # as above: either may come first
def test_workers_import_our_packages_in_a_folder_that_has_others_of_the_same_names(
    opened: list[list[Any]],
):
    assert opened[2] == [str(CHECKOUT / name) for name in ("models/arrays.py", "schemas/errors.py")]


@pytest.mark.parametrize("master", ["spark://driver:7077", "yarn", "k8s://https://a:6443"])
def test_embedded_node_is_refused_to_executors_elsewhere(master: str):
    with pytest.raises(BadConfig, match=r"cassandra\.contact_points") as caught:
        session.spark_session(Config(spark=Spark(master=master)))
    assert (caught.value.field, caught.value.value) == ("spark.master", master)


@pytest.mark.parametrize(
    ("contact_points", "master"),
    [
        ((), "local[2]"),
        ((), "local-cluster[2,1,1024]"),
        ((), "spark://127.0.0.1:7077"),
        ((), "spark://localhost:7077"),
        ((), f"spark://{socket.gethostname()}:7077"),
        (("db1",), "spark://driver:7077"),
    ],
)
def test_node_that_executors_reach_is_accepted(
    contact_points: tuple[str, ...], master: str, monkeypatch: pytest.MonkeyPatch
):
    class Started(Exception):
        """The session would start now."""

    def start(*_: object) -> None:
        raise Started

    monkeypatch.setattr(session, "find_java", start)
    cassandra = Cassandra(contact_points=contact_points)
    with pytest.raises(Started):
        session.spark_session(Config(cassandra=cassandra, spark=Spark(master=master)))
