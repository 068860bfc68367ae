"""What `make` sets up: an environment that recovers from a failed start, and the command `muvr`."""

import ast
import os
import runpy
import shutil
import subprocess
from pathlib import Path

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
