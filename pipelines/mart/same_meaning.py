"""SQL that Spark and DuckDB run and answer differently: Spark refuses it and says what to say.

So a query that both accept has one answer. It is enough that one of them refuses; Spark does, since
what it runs is on an allow-list anyway. What the parsed text tells is refused here, sums of dates
in `pipelines.mart.same_types`. `tests/pipelines/test_same_answers.py` compares every function that
both have.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipelines.mart.nodes import function_of, items_of, name_of, words
from schemas.errors import BadQuery
from schemas.mart import MART

DAY_OF_WEEK = "extract(dow_iso FROM x) to Spark and isodow(x) to DuckDB, both 1 (Monday) to 7"
WITHOUT_NULLS = "followed by FILTER (WHERE x IS NOT NULL), where x is its first argument"
ANY_OF_ROWS = f"max(x) or min(x), or min_by(x, y) {WITHOUT_NULLS}"
FUNCTIONS = {
    "any_value": ANY_OF_ROWS,
    "approx_count_distinct": "count(DISTINCT x)",
    "cardinality": "array_size(x) to Spark and len(x) to DuckDB",
    "concat": "a || b, or concat_ws('', a, b) to leave out nulls",
    "dayofweek": DAY_OF_WEEK,
    "first": ANY_OF_ROWS,
    "isnan": "x IS NULL: the mart holds no NaN",
    "json_array_length": "array_size(from_json(x, 'array<string>')) to Spark",
    "last": ANY_OF_ROWS,
    "mode": "count(*) with GROUP BY, and ORDER BY count(*) DESC and the value",
    "weekday": DAY_OF_WEEK,
}
"""Functions that mean something else in DuckDB whatever they are given; what to say instead."""
PARSED = {"AnyValue": "any_value", "First": "first", "Last": "last"}
"""Those of them that Spark's parser makes an expression of."""
ARGUMENTS = {
    "log": ((2,), "ln(x), log10(x) or log(base, x)"),
    "ltrim": ((1,), "it with one argument, or regexp_extract(y, '^x*(.*)$', 1)"),
    "regexp_extract": ((3,), "it with a group: regexp_extract(x, pattern, 1); 0 is all of it"),
    "regexp_replace": (
        (4,),
        "regexp_replace(x, pattern, y, 1) to Spark and (x, pattern, y, 'g') to DuckDB",
    ),
    "rtrim": ((1,), "it with one argument, or regexp_extract(y, '^(.*?)x*$', 1)"),
    "split": ((3,), "split(x, pattern, -1) to Spark and string_split(x, ',') to DuckDB"),
    "trim": ((1,), "it with one argument, or trim(BOTH 'x' FROM y)"),
}
"""Functions that mean the same with so many arguments only, with what to say."""
AT_LEAST: Mapping[str, tuple[int | None, ...]] = {
    "left": (None, 0),
    "right": (None, 0),
    "substr": (None, 1, 0),
    "substring": (None, 1, 0),
    "Substring": (None, 1, 0),
}
"""The least value of each argument for which a function means the same."""
FIELDS = words(
    """year years y yr yrs month months mon mons quarter week weeks w day days d doy hour hours
    h hr hrs minute minutes m min mins dow_iso dayofweek_iso yearofweek"""
)
"""What may be extracted of a time: seconds have a fraction in Spark only, weeks begin elsewhere."""
UNITS = words("""year quarter month week day hour minute second millisecond microsecond""")
"""What a time may be cut to: of others, Spark makes null."""
IN_WORDS = {
    "date_part": (FIELDS, f"second(x), {DAY_OF_WEEK}, or another field"),
    "date_trunc": (UNITS, "one of year, quarter, month, week, day, hour, minute, second"),
    "extract": (FIELDS, f"second(x), {DAY_OF_WEEK}, or another field"),
}
"""Functions whose first argument is a word, with the words that mean the same."""
LAST_CHR = 255  # Spark begins again after it
WHOLE_TYPES = frozenset(("tinyint", "smallint", "int", "bigint"))
WHOLE = words(
    """floor ceil ceiling count count_if length hour minute second day dayofmonth dayofyear
    month quarter year weekofyear row_number rank dense_rank ntile array_contains contains
    startswith endswith bool_and bool_or And Or Not EqualTo EqualNullSafe LessThan
    LessThanOrEqual GreaterThan GreaterThanOrEqual In InSubquery Exists Like ILike RLike
    IsNull IsNotNull"""
)
"""Functions and expressions that give whole numbers or booleans: a cast cuts nothing off."""
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)|`[^`]*`|r'[^']*'|r"[^"]*"|"""
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""",
    re.DOTALL | re.IGNORECASE,
)


def require_same_meaning(text: str, expressions: Iterable[Any], aliases: Collection[str]) -> None:
    """Refuse what DuckDB runs as well and answers differently.

    Args:
        text: the query.
        expressions: all that Spark's parser found in it, nothing resolved.
        aliases: names that the query gives to columns.

    Raises:
        BadQuery: saying what is to be said instead.
    """
    _require_same_texts(text)
    for expression in expressions:
        name = name_of(expression)
        if name == "UnresolvedFunction":
            _require_same_function(expression)
        elif name in AT_LEAST:
            _require_at_least(name, items_of(expression.children()))
        elif name == "Cast":
            _require_same_cast(expression, aliases)
        elif name in ("Add", "Subtract"):
            _require_same_sum(items_of(expression.children()))
        elif name in PARSED:
            raise _refuse(f"{PARSED[name]}(…)", FUNCTIONS[PARSED[name]])
        elif name == "UnresolvedExtractValue":
            _require_named(items_of(expression.children()))
        elif name in ("Like", "ILike"):
            _require_no_escape(expression)


def _refuse(what: str, instead: str) -> BadQuery:
    return BadQuery(
        f"{what} means something else in DuckDB; say {instead}.", field="sql", value=what
    )


def _require_same_texts(text: str) -> None:
    """Refuse texts in quotes that the other engine reads differently."""
    last_end: int | None = None  # of a text, and the comments behind it
    for token in _TOKEN.finditer(text):
        follows = last_end is not None and not text[last_end : token.start()].strip()
        if token["comment"]:
            last_end = token.end() if follows else None
            continue
        last_end = None
        quoted = token["text"]
        if quoted is None:
            continue
        if quoted[0] == '"':
            raise _refuse(quoted, "'…' for a text, and a column's name without quotes")
        if follows:
            raise _refuse("A text right after a text", "a || b; an apostrophe is chr(39)")
        if re.search(r"\\[^']", quoted):
            raise _refuse(
                f"The backslash in {quoted}", "[0-9] or [.] in a pattern, r'…' to Spark, or chr(92)"
            )
        last_end = token.end()


def _require_same_function(call: Any) -> None:
    name, arguments = function_of(call), items_of(call.arguments())
    if name in FUNCTIONS:
        raise _refuse(f"{name}(…)", FUNCTIONS[name])
    if name in ARGUMENTS:
        counts, instead = ARGUMENTS[name]
        if len(arguments) not in counts:
            raise _refuse(f"{name}(…) with {len(arguments)} argument(s)", instead)
    if name in AT_LEAST:
        _require_at_least(name, arguments)
    if not arguments:
        return  # Spark says how many there must be
    if name in ("array_agg", "max_by", "min_by") and not _leaves_out_nulls(call, arguments):
        raise _refuse(f"{name}(x …)", f"{name}(x …) {WITHOUT_NULLS}")
    if name in IN_WORDS:
        words, instead = IN_WORDS[name]
        word = _text_of(arguments[0])
        if word.lower() not in words:
            raise _refuse(f"'{word}' in {name}", instead)
    if name == "chr" and not _is_character(arguments[0]):
        raise _refuse(f"`{arguments[0].toString()}` in chr", f"a number from 0 to {LAST_CHR}")


def _is_character(expression: Any) -> bool:
    """Whether it is a number, and one of a character that both engines have."""
    if name_of(expression) != "Literal":
        return False
    return _is_at_least(expression, 0) and expression.value() <= LAST_CHR


def _leaves_out_nulls(call: Any, arguments: list[Any]) -> bool:
    if not call.filter().isDefined():
        return False
    condition = call.filter().get()
    return name_of(condition) == "IsNotNull" and bool(condition.child().equals(arguments[0]))


def _require_at_least(name: str, arguments: list[Any]) -> None:
    """Refuse positions and lengths that may be less than where the engines begin to differ."""
    for argument, least in zip(arguments, AT_LEAST[name], strict=False):
        if least is not None and not _is_at_least(argument, least):
            raise _refuse(
                f"`{argument.toString()}` in {name}",
                f"a number from {least} on, or greatest({least}, …)",
            )


def _is_at_least(expression: Any, least: int) -> bool:
    if name_of(expression) == "Literal":
        value = expression.value()
        return isinstance(value, int) and value >= least
    if name_of(expression) == "UnresolvedFunction" and function_of(expression) == "greatest":
        return any(_is_at_least(one, least) for one in items_of(expression.arguments()))
    return False


def _require_same_cast(cast: Any, aliases: Collection[str]) -> None:
    """Refuse a cast to whole numbers that may cut off a fraction: DuckDB rounds."""
    to = str(cast.dataType().simpleString())
    if to in WHOLE_TYPES and not _is_whole(cast.child(), aliases):
        raise _refuse(
            f"CAST(… AS {to.upper()}) of what may have a fraction",
            "CAST(floor(x) AS INT) or CAST(round(x) AS INT), "
            "and of a text CAST(floor(CAST(x AS DOUBLE)) AS INT)",
        )


def _is_whole(expression: Any, aliases: Collection[str]) -> bool:
    name = name_of(expression)
    if name == "UnresolvedFunction":
        called, arguments = function_of(expression), items_of(expression.arguments())
        return called in WHOLE or (called == "round" and len(arguments) == 1)
    if name == "UnresolvedAttribute":
        column = _column_of(expression)
        return column not in aliases and _types_of(column) <= {"INTEGER", "BOOLEAN"}
    if name == "Literal":
        return str(expression.dataType().simpleString()) in (*WHOLE_TYPES, "boolean", "void")
    return name in WHOLE


def _require_same_sum(sides: list[Any]) -> None:
    """Refuse sums of texts, where || goes first here."""
    if any(name_of(side) == "Concat" for side in sides):
        raise _refuse("a || b + c", "a || (b + c)")


def _require_named(children: list[Any]) -> None:
    """Refuse places in lists, which count from 0 here and from 1 there; fields of structs pass."""
    if not _text_of(children[1]):
        raise _refuse(
            "A place in a list, as in kinds[1],",
            "element_at(list, n) to Spark and list_extract(list, n) to DuckDB",
        )


def _require_no_escape(like: Any) -> None:
    if "\\" in _text_of(like.right()) and str(like.escapeChar()) == "\\":
        raise _refuse("A backslash in LIKE", "LIKE 'a!%' ESCAPE '!'")


def _text_of(expression: Any) -> str:
    """The text of a literal; empty where it is none."""
    if name_of(expression) != "Literal" or str(expression.dataType().simpleString()) != "string":
        return ""
    return str(expression.value())


def _column_of(attribute: Any) -> str:
    return str(items_of(attribute.nameParts())[-1]).lower()


def _types_of(column: str) -> set[str]:
    """The types of the mart's columns of a name; `?` where there is none."""
    found = {c.type for table in MART.values() for c in table.columns if c.name == column}
    return found or {"?"}
