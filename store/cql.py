"""Splits CQL files into statements that are safe to run twice."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BadMigration

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.cql")
# Strings and comments first: what they hold is neither a comment nor the end of a statement.
_TOKEN = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$)"""
    r"""|(?P<comment>(?:--|//)[^\n]*|/\*.*?\*/)|(?P<end>;)|(?P<space>\s+)|(?P<other>.)""",
    re.DOTALL,
)
_CREATE = re.compile(
    r"^CREATE\s+(?:MATERIALIZED\s+VIEW|CUSTOM\s+INDEX|TABLE|INDEX|TYPE)(?!\s+IF\s+NOT\s+EXISTS)\b",
    re.IGNORECASE,
)
_REPEATABLE = re.compile(r"\bIF\s+(?:NOT\s+)?EXISTS\b|^ALTER\s+TABLE\s+\S+\s+WITH\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered CQL file.

    Attributes:
        name: file name without its ending, such as "0001_recording".
        number: its leading number.
        statements: in order, without comments, spaces collapsed, safe to run twice.
        checksum: sha256 of the statements; comments and line breaks do not count.
    """

    name: str
    number: int
    statements: tuple[str, ...]
    checksum: str


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """All migrations of a folder, in order.

    Raises:
        BadMigration: a name without a number, a number twice or left out, or a statement that
            cannot be run twice.
    """
    migrations = tuple(_read(path) for path in sorted(folder.glob("*.cql")))
    numbers = [migration.number for migration in migrations]
    if numbers != list(range(1, len(migrations) + 1)):
        raise BadMigration(f"{folder}: migrations must be numbered 1, 2, 3…; found {numbers}")
    return migrations


def statements_in(text: str) -> list[str]:
    r"""The statements of a CQL text, without comments, runs of space as one.

    >>> statements_in("-- who; what\nCREATE TABLE t (a int\n  PRIMARY KEY); SELECT ';' FROM t;")
    ['CREATE TABLE t (a int PRIMARY KEY)', "SELECT ';' FROM t"]
    """
    statements = [""]
    for token in _TOKEN.finditer(text):
        if token["end"]:
            statements.append("")
        elif token["comment"] or token["space"]:
            statements[-1] += "" if statements[-1].endswith(" ") else " "
        else:
            statements[-1] += token[0]
    return [statement.strip() for statement in statements if statement.strip()]


def repeatable(statement: str) -> str:
    """The statement in a form that can be repeated: a migration may fail half way.

    >>> repeatable("CREATE TABLE t (a int PRIMARY KEY)")
    'CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)'

    Raises:
        BadMigration: it is not a CREATE, and it has no IF [NOT] EXISTS of its own.
    """
    safe = _CREATE.sub(lambda create: f"{create[0]} IF NOT EXISTS", statement)
    if not _REPEATABLE.search(safe):
        raise BadMigration(f"`{statement[:80]}` cannot run twice: say IF EXISTS or IF NOT EXISTS")
    return safe


def checksum_of(statements: Sequence[str]) -> str:
    """Hex sha256 of the statements."""
    return hashlib.sha256(";\n".join(statements).encode()).hexdigest()


def _read(path: Path) -> Migration:
    name = _NAME.fullmatch(path.name)
    if not name:
        raise BadMigration(f"{path.name} is not named like 0001_what_it_adds.cql")
    statements = tuple(repeatable(statement) for statement in statements_in(path.read_text()))
    return Migration(path.stem, int(name[1]), statements, checksum_of(statements))
