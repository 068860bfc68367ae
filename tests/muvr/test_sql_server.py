"""`muvr sql serve` with real JDBC clients: Beeline and Hive's driver, among pyspark's jars."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pyspark
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import launch_gateway

from schemas.mart import MART, SHOWN
from store.java import find_java
from store.mart import MartFolder
from tests.ports import free_ports
from tests.store.made_mart import ONE, TWO, made

# One process: several would each start a server, whose queries have a time limit, at once.
pytestmark = [pytest.mark.xdist_group("sql"), pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).parents[2]
MUVR = Path(sys.executable).parent / "muvr"
GUIDE = CHECKOUT / "docs" / "analysts.md"
JARS = Path(pyspark.__file__).parent / "jars" / "*"
PASSWORD = "MUVR_CASSANDRA_PASSWORD_SPARK"
KEY = "A_CLOUDS_SECRET_KEY"
FRESH = "SELECT as_of FROM mart"
COUNT = "SELECT count(*) AS n, 'rows' AS what FROM sets"
READ = [*re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL), FRESH, COUNT]
ENDLESS = "SELECT count(*) FROM sets a, sets b, sets c, sets d WHERE a.reps IS NULL"
PLANNED = f"SELECT regexp_like('{'a' * 40}', '{'a?' * 40 + 'a' * 40}')"  # 2^40 ways
SECONDS = 40
LITERAL = ("${env:A_CLOUDS_SECRET_KEY}", "${system:user.home}", "${spark.master}")
ZONE = "SELECT date_format(timestamp '2026-11-21 12:00:00', 'VV')"
HOSTILE = (
    "?spark.sql.thriftServer.queryTimeout=0"
    "#spark.sql.session.timeZone=Asia/Tokyo;spark.sql.variable.substitute=true"
)
EVIL = (
    "SELECT java_method('java.lang.System', 'getenv', 'HOME')",
    "SELECT * FROM text.`/etc/passwd`",
    "SELECT * FROM muvr.muvr.users",
    "CREATE TABLE mine AS SELECT 1",
    "ADD JAR '/tmp/evil.jar'",
    "SET spark.sql.runSQLOnFiles = true",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> MartFolder:
    return made(tmp_path_factory.mktemp("mart"), ONE, 2)


@pytest.fixture(scope="module")
def served(folder: MartFolder) -> Iterator[tuple[int, psutil.Process]]:
    """The server's port and process, started with secrets in its environment."""
    [port] = free_ports(1)
    settings = {
        "MUVR_PATHS__MART": str(folder.path),
        "MUVR_SQL__PORT": str(port),
        "MUVR_SQL__SECONDS": str(SECONDS),
        "MUVR_SPARK__CORES": "1",  # a query that keeps its core would block the next
    }
    process = subprocess.Popen(
        [MUVR, "sql", "serve"],
        cwd=CHECKOUT,
        env={**os.environ, **settings, PASSWORD: "a secret", KEY: "a secret"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert f":{port}/" in process.stdout.readline()  # printed once it accepts connections
        try:
            beeline(port, [COUNT])  # Java's first query is slow; the time limit is for the others
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
        # it must not wait for the rest of a cancelled query, which would take 120 s
        _, complained = process.communicate(timeout=60)
        assert "Error executing query" not in complained, "errors are reported to the client only"


def beeline(port: int, statements: list[str], settings: str = "") -> str:
    """Beeline's output for these statements, errors included; `settings` end the address."""
    done = subprocess.run(
        [
            *(find_java().program, "-cp", JARS, "org.apache.hive.beeline.BeeLine"),
            *("-u", f"jdbc:hive2://127.0.0.1:{port}/default{settings}", "--force=true"),
            *("--outputformat=tsv2", "--showHeader=false"),
        ],
        input="".join(f"{statement};\n" for statement in statements),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    return done.stdout


def test_beeline_of_the_guide_runs_where_no_java_is_installed(
    served: tuple[int, psutil.Process], tmp_path: Path
):
    [command] = re.findall(r"```\n([^`]*beeline\.BeeLine[^`]*)```", GUIDE.read_text())
    here = command.replace(".venv/bin/python", sys.executable).replace(":10000/", f":{served[0]}/")
    done = subprocess.run(
        ["/bin/sh", "-c", here],
        cwd=CHECKOUT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert re.search(r"^\| 2 +\|$", done.stdout, re.MULTILINE), done.stderr


def test_a_jdbc_client_can_read_only_the_mart(served: tuple[int, psutil.Process]):
    port, process = served
    literal = [f"SELECT '{text}' AS it" for text in LITERAL]
    said = beeline(port, [*READ, *literal, *EVIL])
    assert "\n2\trows\n" in said
    assert re.search(r"^2026-11-21 03:00:00(\.0)?$", said, re.MULTILINE), "how fresh the mart is"
    assert len(re.findall(r"^(?:No|\d+) rows? selected", said, re.MULTILINE)) == len(
        [*READ, *literal]
    )
    assert set(LITERAL) <= set(said.splitlines())  # nothing was substituted
    assert len(
        re.findall(r"^Error:.* is not for queries over the mart", said, re.MULTILINE)
    ) == len(EVIL)
    assert "Traceback" not in said
    assert "py4j" not in said, "internals are not shown to the client"

    [java] = process.children()  # Hive sometimes runs `id` in a child process
    listening = {c.laddr.ip for c in java.net_connections("tcp") if c.status == "LISTEN"}
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    assert {PASSWORD, KEY} <= process.environ().keys()
    assert {PASSWORD, KEY}.isdisjoint(java.environ())
    assert "cassandra" not in " ".join(java.cmdline()).lower()


@pytest.fixture
def connection(served: tuple[int, psutil.Process]) -> Iterator[Any]:
    """Of java.sql, as the programs of analysts open it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("JAVA_HOME", str(find_java().home))
        gateway: Any = launch_gateway()
    try:
        gateway.jvm.java.lang.Class.forName("org.apache.hive.jdbc.HiveDriver")
        url = f"jdbc:hive2://127.0.0.1:{served[0]}/default"
        yield gateway.jvm.java.sql.DriverManager.getConnection(url, "analyst", "")
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()  # Java ends
        gateway.proc.wait(60)


def rows_of(found: Any) -> list[tuple[str, ...]]:
    """The rows of a result of JDBC as texts."""
    columns, rows = found.getMetaData().getColumnCount(), []
    while found.next():
        rows.append(tuple(str(found.getObject(n + 1)) for n in range(columns)))
    return rows


def test_programs_of_analysts_find_their_way_over_jdbc(connection: Any):
    """What DBeaver, Superset and Tableau ask before a person does, and how they ask queries."""
    tables, metadata = {*SHOWN}, connection.getMetaData()
    assert connection.isValid(5)
    assert connection.getSchema() == "default"
    assert ("default", "") in rows_of(metadata.getSchemas())
    for schema in (None, "default"):
        assert {row[2] for row in rows_of(metadata.getTables(None, schema, "%", None))} == tables
    for name, table in SHOWN.items():
        columns = [row[3] for row in rows_of(metadata.getColumns(None, None, name, "%"))]
        assert columns == [column.name for column in table.columns]

    def ask(text: str) -> list[tuple[str, ...]]:
        return rows_of(connection.createStatement().executeQuery(text))

    assert {row[1] for row in ask("SHOW TABLES IN `default`")} == tables
    assert [row[:2] for row in ask("DESCRIBE `default`.`mart`")] == [("as_of", "timestamp_ntz")]
    for probe in ("SELECT * FROM (SELECT * FROM sets) `t` WHERE 1=0", "SELECT * FROM sets LIMIT 0"):
        found = connection.createStatement().executeQuery(probe)
        assert found.getMetaData().getColumnCount() == len(MART["sets"].columns)
    assert ask("SELECT 1") == [("1",)]
    with pytest.raises(Py4JJavaError) as refused:
        ask("SELEC 1")
    said = refused.value.java_exception.getMessage()
    assert "Syntax error at or near 'SELEC'" in said
    assert "Traceback" not in said
    assert len(ask("SELECT `sets`.`reps` AS `of_reps` FROM `default`.`sets` `sets` LIMIT 1")) == 1

    prepared = connection.prepareStatement("SELECT ? AS name, count(*) AS n FROM sets WHERE 8 > ?")
    prepared.setString(1, "it's a ?")
    prepared.setInt(2, 7)
    assert rows_of(prepared.executeQuery()) == [("it's a ?", "2")]


def computing(java: psutil.Process) -> set[int]:
    """The threads of Hive's server that use the processor; others wait for queries."""
    before = {thread.id: thread.user_time for thread in java.threads()}
    time.sleep(3)
    used_s = {thread.id: thread.user_time - before.get(thread.id, 0.0) for thread in java.threads()}
    names = {n: Path(f"/proc/{java.pid}/task/{n}/comm") for n, s in used_s.items() if s > 0.1}
    return {
        n
        for n, path in names.items()
        if path.exists() and path.read_text().startswith("HiveServer2")
    }


def test_a_running_server_sees_a_refresh_and_ends_queries_over_the_time_limit(
    served: tuple[int, psutil.Process], folder: MartFolder
):
    """Also for a client whose address sets the session that all of them share.

    A query that computes while it is planned has no job that could be cancelled, and would keep a
    core for good. It runs beside the others: each waits for the limit.
    """
    port, process = served
    [java] = process.children()
    with ThreadPoolExecutor(1) as pool:
        planned = pool.submit(beeline, port, [PLANNED])
        while not computing(java):  # so that it is seen below that nothing does
            assert not planned.done()
        made(folder.path, TWO, 3000)
        said = beeline(port, [COUNT, ENDLESS, COUNT, f"SELECT '{LITERAL[1]}'", ZONE], HOSTILE)
        assert "timed out" in planned.result()
    assert len(re.findall(r"^3000\trows$", said, re.MULTILINE)) == 2
    assert "timed out" in said
    assert {LITERAL[1], "UTC"} <= set(said.splitlines())
    deadline_s = time.monotonic() + 60
    while computing(java):
        assert time.monotonic() < deadline_s, "it computes for nobody"
