"""The exercise job on a standalone Spark master, whose executors have no checkout."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
import pytest
import yaml

from pipelines.exercise.job import train_exercise
from schemas.config import Config
from store.champions import Champions
from store.database import Database
from store.java import find_java
from store.models import ModelKey
from tests.cassandra_node import CHECKOUT
from tests.pipelines.people import LAYOUT, put, sets_of, user_id
from tests.ports import free_ports
from tests.spark_session import emptied

PEOPLE = 2
SPARK_HOME = Path(pyspark.__path__[0])
DEPLOY = "org.apache.spark.deploy"


@contextmanager
def started(folder: Path, kind: str, *arguments: str) -> Generator[None]:
    """A Spark daemon on loopback, until the end of the block."""
    here = {key: said for key, said in os.environ.items() if key != "PYTHONPATH"}
    at = {"JAVA_HOME": str(find_java().home), "SPARK_HOME": str(SPARK_HOME)}
    command = [str(SPARK_HOME / "bin" / "spark-class"), f"{DEPLOY}.{kind}", *arguments]
    with (
        (folder / f"{kind}.log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**here, **at, "SPARK_LOCAL_IP": "127.0.0.1"},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture
def master(tmp_path: Path) -> Iterator[str]:
    """The address of a master with one worker of two cores."""
    port, page, of_worker = map(str, free_ports(3))
    address, here = f"spark://127.0.0.1:{port}", ("--host", "127.0.0.1")
    with (
        started(tmp_path, "master.Master", *here, "--port", port, "--webui-port", page),
        started(
            tmp_path,
            "worker.Worker",
            *(*here, "--webui-port", of_worker, "--cores", "2", "--memory", "2g"),
            *("--work-dir", str(tmp_path / "work"), address),
        ),
    ):
        _await(tmp_path / "master.Master.log", "Registering worker")
        yield address


def _await(log: Path, sentence: str, within_s: float = 120) -> None:
    until = time.monotonic() + within_s
    while sentence not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)


def versions(database: Database) -> list[str]:
    keys = [ModelKey.of_user(user_id(person), LAYOUT, "exercise") for person in range(PEOPLE)]
    serving = [asyncio.run(Champions(database).serving(key)) for key in keys]
    return [champion.version for champion in serving if champion is not None]


@pytest.mark.timeout(900)  # starts a second Spark
def test_executors_of_a_standalone_master_learn_the_same_models(
    master: str, spark_config: Config, spar, tmp_path: Path
):
    known = spark_config.model_dump(mode="json")
    known["spark"] |= {"master": master, "executors": 1, "cores": 2, "executor_memory_mb": 1024}
    for name in ("host", "bindAddress"):  # the driver listens on loopback as well
        known["spark"]["options"][f"spark.driver.{name}"] = "127.0.0.1"
    known["paths"]["reports"] = str(tmp_path / "reports")
    conf = tmp_path / "conf.yaml"
    conf.write_text(yaml.safe_dump(known))
    with emptied(spark_config.cassandra) as database:
        for person in range(PEOPLE):
            put(database, user_id(person), sets_of(spar, person))
        done = subprocess.run(
            [sys.executable, "-m", "tests.pipelines.elsewhere", str(conf)],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr[-4000:]
        assert json.loads(done.stdout) == ["done", {"sets": 16 * PEOPLE, "promoted": PEOPLE}]
        assert list((tmp_path / "work").rglob("rooms.zip"))  # where the executor ran
        learned = versions(database)
        again = train_exercise(spark_config, engine="local")
        assert again.counts["unchanged"] == PEOPLE
        assert versions(database) == learned
