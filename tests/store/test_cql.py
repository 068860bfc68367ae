"""CQL files: splitting into statements, repeatable statements, and file numbers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadMigration
from store.cql import read_migrations, repeatable, statements_in

# Texts whose statements are known: each is built from parts that hide a semicolon or a comment.
_PARTS = st.sampled_from(["a", "';--'", '"//;"', "$$;/*$$", "'it''s;'", "(1)"])


@given(st.lists(st.lists(_PARTS, min_size=1), min_size=1))
def test_statements_are_split_outside_of_quotes_and_comments(statements: list[list[str]]) -> None:
    text = "".join("-- c;\n" + " /* ; ' */ ".join(parts) + "\n;\n// ;'\n" for parts in statements)
    assert statements_in(text) == [" ".join(parts) for parts in statements]


@pytest.mark.parametrize(
    ("statement", "safe"),
    [
        ("CREATE TABLE t (a int)", "CREATE TABLE IF NOT EXISTS t (a int)"),
        ("create index i on t (a)", "create index IF NOT EXISTS i on t (a)"),
        ("CREATE TYPE IF NOT EXISTS u (a int)", "CREATE TYPE IF NOT EXISTS u (a int)"),
        ("ALTER TABLE t ADD IF NOT EXISTS b int", "ALTER TABLE t ADD IF NOT EXISTS b int"),
        ("DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS t"),
        ("ALTER TABLE t WITH gc_grace_seconds = 1", "ALTER TABLE t WITH gc_grace_seconds = 1"),
    ],
)
def test_statements_are_made_repeatable(statement: str, safe: str) -> None:
    assert repeatable(statement) == safe
    assert repeatable(safe) == safe


@pytest.mark.parametrize("statement", ["ALTER TABLE t ADD b int", "DROP TABLE t", "TRUNCATE t"])
def test_a_statement_that_cannot_run_twice_is_refused(statement: str) -> None:
    with pytest.raises(BadMigration, match="cannot run twice"):
        repeatable(statement)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["0001_a.cql", "0003_b.cql"], r"found \[1, 3\]"),
        (["0001_a.cql", "0001_b.cql"], r"found \[1, 1\]"),
        (["first.cql"], "first.cql is not named like"),
    ],
)
def test_misnumbered_files_are_refused(tmp_path: Path, names: list[str], says: str) -> None:
    for name in names:
        (tmp_path / name).write_text("CREATE TABLE t (a int PRIMARY KEY);")
    with pytest.raises(BadMigration, match=says):
        read_migrations(tmp_path)
