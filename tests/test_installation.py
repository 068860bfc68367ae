"""What `make` sets up: an environment that recovers from a failed start, and the command `muvr`."""

import ast
import importlib.util
import os
import runpy
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
# A Python of which `venv` fails until its packages are installed, as on Debian without
# python3-venv: it leaves an interpreter without pip behind.
PYTHON = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exit 0
for folder; do :; done
[ "$3" != --clear ] || rm -rf "$folder"
mkdir -p "$folder/bin"
[ -e installed ] && code=0 || code=1
printf '#!/bin/sh\\nexit %d\\n' $code >"$folder/bin/python"
chmod +x "$folder/bin/python"
exit $code
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_make_recovers_from_an_environment_without_pip(tmp_path: Path):
    shutil.copy(CHECKOUT / "Makefile", tmp_path)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "bootstrap.txt").touch()
    python = program(tmp_path / "python", PYTHON)

    def bootstrap() -> int:
        command = ["make", f"PYTHON={python}", ".venv/bootstrap"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert bootstrap() != 0
    left_behind = tmp_path / ".venv" / "left behind"
    left_behind.touch()
    (tmp_path / "installed").touch()
    assert bootstrap() == 0
    assert not left_behind.exists()
    kept = tmp_path / ".venv" / "kept"  # of an environment that works nothing is removed
    kept.touch()
    os.utime(tmp_path / "locks" / "bootstrap.txt", (2**31, 2**31))
    assert bootstrap() == 0
    assert kept.exists()


def test_make_clean_removes_the_environment_and_no_data(tmp_path: Path):
    shutil.copy(CHECKOUT / "Makefile", tmp_path)
    for name in (".venv/bin", "build/node"):
        (tmp_path / name).mkdir(parents=True)
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True)
    assert not (tmp_path / ".venv").exists()
    assert (tmp_path / "build" / "node").exists()
    shown = subprocess.run(
        ["make", "help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "make clean" in shown.stdout


def test_command_starts_in_a_folder_with_a_space(tmp_path: Path):
    python = program(tmp_path / "a b" / "python", "#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    text = runpy.run_path(str(CHECKOUT / "locks" / "link.py"))["command_text"](str(python))
    command = program(tmp_path / "a b" / "muvr", text)
    started = subprocess.run([command, "x y", "--help"], capture_output=True, text=True, check=True)
    assert started.stdout.splitlines() == [str(command), "x y", "--help"]
    assert ast.get_docstring(ast.parse(text)) is not None  # the shell's line, to Python


@pytest.fixture
def kernel() -> ModuleType:
    """`locks/kernel.py`, which is in no package."""
    spec = importlib.util.spec_from_file_location("kernel", CHECKOUT / "locks" / "kernel.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def broken_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine's `cc` that has no headers, first in PATH."""
    no_headers = "#!/bin/sh\necho 'fatal error: math.h: No such file or directory' >&2\nexit 1\n"
    cc = program(tmp_path / "bin" / "cc", no_headers)
    monkeypatch.setenv("PATH", f"{cc.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CC", raising=False)
    return cc


def test_locked_compiler_is_used_where_the_one_of_the_machine_fails(
    kernel: ModuleType,
    broken_compiler: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    used: list[Path] = []
    monkeypatch.setattr(kernel, "with_locked_compiler", used.append)
    kernel.install(tmp_path)
    assert used == [tmp_path]
    assert f"{broken_compiler} cannot compile" in capfd.readouterr().err
    broken_compiler.write_text("no program at all")
    kernel.install(tmp_path)
    assert used == [tmp_path, tmp_path]


def test_named_compiler_that_fails_is_an_error(
    kernel: ModuleType,
    broken_compiler: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("CC", str(broken_compiler))
    monkeypatch.setattr(kernel, "with_locked_compiler", lambda _: pytest.fail("it was named"))
    with pytest.raises(subprocess.CalledProcessError):
        kernel.install(tmp_path)
