"""Every command has help, and its exit code tells what happened."""

import errno
import io
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from muvr.cli import COMMANDS, command_line, main
from schemas.config import Cassandra
from tests.cassandra_node import quick_tables
from tests.ports import free_ports
from tests.waiting import answer_when

CHECKOUT = Path(__file__).parents[2]
MUVR = Path(sys.executable).parent / "muvr"
Here = Callable[..., subprocess.CompletedProcess]


def muvr(*words: str, conf: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    named = {"MUVR_CONFIG": str(conf)} if conf else {}
    return subprocess.run(
        [MUVR, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, **named, **environment},
    )


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """`muvr` in this process where a separate one is not needed: starting one takes a second."""

    def run(*words: str, conf: Path | None = None) -> subprocess.CompletedProcess:
        monkeypatch.setattr(sys, "argv", ["muvr", *words])
        if conf:
            monkeypatch.setenv("MUVR_CONFIG", str(conf))
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capfd.readouterr()
        return subprocess.CompletedProcess(words, int(end.value.code or 0), said.out, said.err)

    return run


def commands() -> list[tuple[str, ...]]:
    group = typer.main.get_command(command_line())
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found += [(name, sub) for sub in inner] if inner else [(name,)]
    return found


def test_every_command_is_registered_by_the_module_mapped_to_it():
    assert {words[0] for words in commands()} == set(COMMANDS)
    for name, module in COMMANDS.items():
        assert name in typer.main.get_command(command_line([module])).commands


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...]):
    group = typer.main.get_command(command_line())
    command = group.commands[words[0]]
    if len(words) == 2:
        command = command.commands[words[1]]
    assert "Example: `" in (command.help or "")
    assert "muvr" in command.help.partition("Example:")[2]
    silent = [param.name for param in command.params if not getattr(param, "help", None)]
    assert silent == [], "every parameter needs help"


def test_a_multiprocessing_child_does_not_rerun_the_command():
    """Python runs the command's file in such a process under another module name."""
    command = runpy.run_path(str(CHECKOUT / "locks" / "link.py"))["COMMAND"]
    compiled = compile(command, "muvr", "exec")
    exec(compiled, {"__name__": "__mp_main__"})  # what multiprocessing does
    with pytest.raises(SystemExit):
        exec(compiled, {"__name__": "__main__"})


def test_invalid_settings_exit_with_a_usage_error(tmp_path: Path, here: Here):
    conf = tmp_path / "conf.yaml"
    conf.write_text("api: {prot: 1}\n")
    done = here("status", conf=conf)
    assert done.returncode == 2
    assert "did you mean `api.port`" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_exits_with_a_usage_error(here: Here):
    done = here("trian")
    assert done.returncode == 2
    assert "Did you mean 'train'" in done.stderr


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Settings of a separate deployment, which is stopped afterwards."""
    folder = tmp_path_factory.mktemp("deployment")
    port, storage_port, jmx_port, api_port = free_ports(4)
    path = folder / "conf.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "cassandra": {
                    "port": port,
                    "storage_port": storage_port,
                    "jmx_port": jmx_port,
                    "heap_mb": 512,
                },
                "api": {"port": api_port},
            }
        )
    )
    yield path
    muvr("down", conf=path)


def test_down_reports_when_nothing_was_running(conf: Path, here: Here):
    done = here("down", conf=conf)
    assert done.returncode == 0
    assert done.stdout == "Nothing ran; the data is kept.\n"
    assert done.stderr == ""


def test_status_without_a_node_shows_the_next_step(conf: Path, here: Here):
    done = here("status", "--json", conf=conf)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert not answer["node"]["running"]
    assert "muvr up" in answer["database"]


def test_training_without_a_node_fails_without_a_traceback(conf: Path, here: Here):
    done = here("train", "exercise", conf=conf)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_commands_report_a_missing_service_password_or_table(conf: Path, here: Here):
    nobody = here("token", "ada", "--password", "a long password", conf=conf)
    assert (nobody.returncode, "start it: muvr up" in nobody.stderr) == (1, True)
    unasked = here("token", "ada", conf=conf)  # tests have no terminal
    assert (unasked.returncode, "say --password" in unasked.stderr) == (2, True)
    unknown = here("mart", "show", "setss", conf=conf)
    assert unknown.returncode in (1, 2)
    assert unknown.stderr.startswith("error: ")


def test_an_invalid_import_exits_with_a_usage_error(conf: Path, here: Here, tmp_path: Path):
    path = tmp_path / "watch.csv"
    path.write_text("time_s,acc_x_g,acc_y_g,acc_z_g\n1700000000,1,up,1\n")
    for words, says in (
        (("csv", str(path), "--user", "ada"), "watch.csv line 2, column acc_y_g: 'up' is no numb"),
        (("csv", str(path)), "csv needs --user"),
        (("csv", "--user", "ada"), "csv needs the path of its files"),
        (("csv", str(path), "--user", "ada", "--timezone", "Mars"), "'Mars' is no time zone"),
        (("csv", str(path), "--user", "ada", "--start", "10:00"), "--start '10:00' must be RFC"),
        (("spar", "--user", "ada"), "--user, --side, --timezone and --start are for csv"),
    ):
        done = here("import", *words, "--password", "a long password", conf=conf)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    for words, says in (  # tests have no terminal to ask for the password
        (("csv", str(path)), "csv needs --user"),
        (("spar", "--user", "ada"), "are for csv"),
        (("csv", str(path), "--user", "ada"), "say --password"),
    ):
        done = here("import", *words, conf=conf)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_an_unknown_scope_exits_with_a_usage_error(conf: Path, here: Here):
    for command in ("grant", "withdraw"):
        done = here("user", command, "ada", "operate", "fly", conf=conf)
        assert done.returncode == 2
        assert "There is no scope fly; there are sensor:write, predict," in done.stderr


@pytest.mark.parametrize("given", ["", "short\n", "x" * 257])
def test_a_password_that_nobody_could_log_in_with_exits_with_a_usage_error(
    conf: Path, here: Here, monkeypatch: pytest.MonkeyPatch, given: str
):
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    done = here("user", "password", "ada", conf=conf)
    assert done.returncode == 2
    assert f"has 8 to 256 characters, not {len(given.strip())}" in done.stderr


def both_ready(status: dict[str, Any]) -> bool:
    return status["node"]["ready"] and status["service"]["ready"]


@pytest.mark.timeout(900)  # starts a node and several processes of Python
def test_up_status_doctor_import_user_and_down_work_together(
    conf: Path, here: Here, monkeypatch: pytest.MonkeyPatch
):
    with quick_tables():
        up = muvr("up", conf=conf)
    assert up.returncode == 0, up.stderr

    def answer(command: str) -> Any:
        return json.loads(here(command, "--json", conf=conf).stdout)

    status = answer_when(both_ready, lambda: answer("status"))
    assert status["node"]["ready"]
    assert status["service"]["ready"]
    assert status["counts"]["users"] == 0
    assert here("up", conf=conf).returncode == 0  # a second time changes nothing
    assert answer("status")["node"]["pid"] == status["node"]["pid"]
    findings = answer_when(
        lambda found: all(finding["ok"] for finding in found), lambda: answer("doctor")
    )
    assert [finding["what"] for finding in findings if not finding["ok"]] == []
    [service] = [finding for finding in findings if finding["what"] == "service"]
    assert service["says"].endswith(f"ready at {status['service']['url']}")
    assert "1 replica" in [finding["says"].rpartition(", ")[2] for finding in findings]
    csv = conf.parent / "watch.csv"
    lines = [f"{time.time() - 60 + n / 50:.2f},0,0,1" for n in range(500)]
    csv.write_text("\n".join(["time_s,acc_x_g,acc_y_g,acc_z_g", *lines]))
    words = ("import", "csv", str(csv), "--user", "ada", "--password", "a long password")
    assert json.loads(here(*words, "--json", conf=conf).stdout)["samples"] == 500
    monkeypatch.setattr("sys.stdin", io.StringIO("another password\n" * 3))
    nobody = (("grant", "nobody", "operate"), ("withdraw", "nobody", "operate"))
    for words in (*nobody, ("password", "nobody"), ("show", "nobody")):
        unknown = here("user", *words, conf=conf)
        assert unknown.returncode == 1
        assert "nobody" in unknown.stderr
    ada = json.loads(here("user", "show", "ADA", "--json", conf=conf).stdout)
    by_id = here("user", "show", ada["user_id"].upper(), "--json", conf=conf)
    assert json.loads(by_id.stdout) == ada
    assert ada["username"] == "ada"
    assert here("user", "grant", "Ada", "operate", conf=conf).returncode == 0
    assert here("token", "ada", "--password", "a long password", conf=conf).returncode == 0
    withdrawn = json.loads(here("user", "withdraw", "ada", "operate", "--json", conf=conf).stdout)
    assert (withdrawn["scopes"], withdrawn["ended"]) == (ada["scopes"], 2)  # the import's as well
    assert here("token", "ada", "--password", "a long password", conf=conf).returncode == 0
    changed = json.loads(here("user", "password", "ada", "--json", conf=conf).stdout)
    assert changed == {"username": "ada", "ended": 1}
    for password, exit_code in (("a long password", 1), ("another password", 0)):
        done = here("token", "ada", "--password", password, conf=conf)
        assert done.returncode == exit_code, done.stderr
    assert muvr("down", conf=conf).returncode == 0
    after = answer("status")
    assert (after["node"]["running"], after["service"]["running"]) == (False, False)


def test_an_outside_cluster_is_used_without_starting_a_node(
    tmp_path: Path, keyspace: Cassandra, here: Here
):
    conf = tmp_path / "conf.yaml"
    conf.write_text(
        yaml.safe_dump(
            {
                "cassandra": {
                    "contact_points": ["127.0.0.1"],
                    "port": keyspace.port,
                    "keyspace": "muvr_outside",
                }
            }
        )
    )
    done = here("migrate", "--json", conf=conf)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["applied"]
    assert json.loads(here("status", "--json", conf=conf).stdout)["counts"]["users"] == 0
    assert not (tmp_path / "build" / "node").exists()


def test_unexpected_error_is_one_sentence_with_a_next_step(
    here: Here, monkeypatch: pytest.MonkeyPatch
):
    """As of Spark, whose messages are followed by pages of Java."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the master does not answer\n\tat java.lang.Thread.run")

    monkeypatch.setattr("muvr.status.open_context", broken)
    ended = here("status")
    assert ended.returncode == 1
    said = " ".join(ended.stderr.split())
    assert "RuntimeError: the master does not answer" in said
    assert "MUVR_TRACE=1" in said
    assert "java" not in said
    assert "Traceback" not in said
    monkeypatch.setenv("MUVR_TRACE", "1")
    with pytest.raises(RuntimeError):
        main()


def test_a_full_disk_is_named_with_its_folder(here: Here, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/mnt/backups/x-Data.db")

    monkeypatch.setattr("muvr.status.open_context", full)
    ended = here("status")
    assert ended.returncode == 1
    said = " ".join(ended.stderr.split())
    assert "The disk of /mnt/backups/x-Data.db is full (No space left on device)." in said
    assert "not expected" not in said
