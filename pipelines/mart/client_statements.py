"""What JDBC clients say besides queries, and how they name tables.

Drivers ask which schema they are in, and programs list tables and columns before a person has asked
anything. These texts are allowed as a whole; Spark answers them of the views of the mart, and knows
no other tables. The views are in no schema, but `default` is the one that Hive's driver names.
"""

import re

from schemas.mart import SHOWN

_TABLE = f"(?:{'|'.join(f'`{name}`|{name}' for name in SHOWN)})"
_SCHEMA = "(?:`default`|default)"
_STATEMENT = re.compile(
    rf"use {_SCHEMA}"
    r"|select current_(?:database|schema)\(\)"
    r"|show (?:databases|schemas)"
    rf"|show (?:tables|views)(?: (?:in|from) {_SCHEMA})?(?: (?:like )?'[a-z_*|]*')?"
    rf"|show columns (?:in|from) {_TABLE}"
    rf"|desc(?:ribe)?(?: table)? {_TABLE}",
    re.IGNORECASE,
)
_OF_SCHEMA = re.compile(
    rf"(?<![\w.`]){_SCHEMA}\s*\.\s*(?={_TABLE}(?!\w))"
    r"""|(?P<other>`[^`]*`|r'[^']*'|r"[^"]*"|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|--[^\n]*|/\*.*?\*/)""",
    re.DOTALL | re.IGNORECASE,
)


def is_of_a_client(text: str) -> bool:
    """Whether a text, apart from spaces, is what clients say besides queries.

    >>> is_of_a_client("SHOW TABLES IN `default`;"), is_of_a_client("SHOW TABLES IN global_temp")
    (True, False)
    """
    return bool(_STATEMENT.fullmatch(" ".join(text.split()).rstrip("; ")))


def without_schema(text: str) -> str:
    r"""A text with the bare names of tables, the only ones that views have.

    >>> without_schema("SELECT `default`.`sets`.reps, 'default.sets' AS a FROM default.sets")
    "SELECT `sets`.reps, 'default.sets' AS a FROM sets"
    >>> print(without_schema(r"SELECT r'\', 'default.sets' AS `default.sets` FROM sets"))
    SELECT r'\', 'default.sets' AS `default.sets` FROM sets
    """
    return _OF_SCHEMA.sub(lambda found: found["other"] or "", text)
