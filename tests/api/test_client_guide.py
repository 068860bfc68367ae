"""The code of docs/clients.md runs as a program, and the guide documents every error."""

import re
from pathlib import Path

from api.problems import BY_STATUS, CROWDED, KINDS
from tests.api.conftest import RunningService

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "clients.md").read_text()
SHIPPED_URL = "http://127.0.0.1:8080"


def program() -> str:
    """The guide's code blocks, each at its line numbers in the guide."""
    lines, inside = [], False
    for line in GUIDE.splitlines():
        fence = line.startswith("```")
        inside = line == "```python" if fence else inside
        lines.append(line if inside and not fence else "")
    return "\n".join(lines)


def test_the_guide_program_runs_against_the_service(service: RunningService) -> None:
    text = program()
    assert text.count(SHIPPED_URL) == 1
    said: dict[str, object] = {}
    # the guide's own assertions are the test; line numbers are those of the file
    exec(compile(text.replace(SHIPPED_URL, service.url), "docs/clients.md", "exec"), said)
    assert said["told"]["reason"] == "no-model"
    said["http"].close()


def test_the_guide_documents_every_error_with_its_status() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| (`[^|]+`) \| ([^|]+) \|$", GUIDE, flags=re.MULTILINE)
    advised = {
        (int(status), name)
        for statuses, names, _ in rows
        for status in statuses.split(", ")
        for name in re.findall(r"`([a-z-]+)`", names)
    }
    known = {(kind.status, kind.name) for kind in (*KINDS.values(), *BY_STATUS.values(), CROWDED)}
    assert known - advised == set()
    assert {name for _, name in advised} == {name for _, name in known}
