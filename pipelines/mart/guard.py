"""What a query over the mart may do, decided on Spark's own parse of it: an allow-list.

Spark SQL is code execution: `java_method` calls any static method, a backquoted path reads any
file, a script is a process. What is not named here is refused, so that what a later Spark brings
is refused too. The check is on the parsed plan, before anything is resolved or run. Of what is
named here, `pipelines.mart.same_meaning` refuses what DuckDB would answer differently.
"""

from collections.abc import Iterator
from typing import Any

from pipelines.mart.nodes import SUBQUERIES, function_of, items_of, name_of, words
from pipelines.mart.same_meaning import require_same_meaning
from schemas.errors import BadQuery
from schemas.mart import SHOWN

PLANS = words(
    """Project Filter Aggregate Sort GlobalLimit LocalLimit Offset Join SubqueryAlias
    UnresolvedSubqueryColumnAliases UnresolvedHaving Union Distinct Except Intersect UnresolvedWith
    UnresolvedInlineTable OneRowRelation UnresolvedRelation"""
)
EXPRESSIONS = words(
    """UnresolvedAttribute UnresolvedStar UnresolvedAlias UnresolvedExtractValue UnresolvedFunction
    Alias Literal Cast And Or Not EqualTo EqualNullSafe LessThan LessThanOrEqual GreaterThan
    GreaterThanOrEqual Add Subtract Multiply Divide IntegralDivide Remainder UnaryMinus
    UnaryPositive In InSubquery ListQuery ScalarSubquery Exists Like ILike RLike IsNull IsNotNull
    CaseWhen If SortOrder WindowExpression WindowSpecDefinition SpecifiedWindowFrame
    UnspecifiedFrame UnspecifiedFrame$ CurrentRow CurrentRow$ UnboundedPreceding
    UnboundedPreceding$ UnboundedFollowing UnboundedFollowing$ Cube Rollup GroupingSets
    LambdaFunction UnresolvedNamedLambdaVariable Substring StringTrim Concat AggregateExpression
    AnyValue First Last"""
)
FUNCTIONS = words(
    """abs any_value approx_count_distinct array_agg array_contains array_join array_size avg
    bool_and bool_or cardinality ceil ceiling chr coalesce collect_list collect_set concat
    concat_ws contains corr count count_if covar_pop covar_samp cume_dist date date_add
    date_diff date_format date_part date_sub date_trunc datediff day dayofmonth dayofweek
    dayofyear dense_rank element_at endswith every exists exp extract filter first first_value
    floor forall format_number from_json get_json_object greatest hour if ifnull isnan isnotnull
    isnull json_array_length json_object_keys lag last last_value lead least left length ln log
    log10 log2 lower lpad ltrim max max_by mean median min min_by minute mod mode month nth_value
    ntile nullif nvl nvl2 percent_rank percentile percentile_approx pow power quarter rank
    regexp_count regexp_extract regexp_like regexp_replace regr_intercept regr_r2 regr_slope
    replace reverse right round row_number rpad rtrim second sign size some sort_array split
    split_part sqrt startswith std stddev stddev_pop stddev_samp substr substring sum to_date
    to_timestamp transform trim trunc try_add try_cast try_divide unix_timestamp upper var_pop
    var_samp variance weekday weekofyear year"""
)


def require_readable(plan: Any, text: str) -> None:
    """Refuse a parsed plan that does more than read the mart, or that DuckDB reads differently.

    Args:
        plan: what Spark's parser made of the text (a JVM object).
        text: the query.

    Raises:
        BadQuery: naming what is not allowed.
    """
    names = {name.lower() for name in _with_names(plan)} | {*SHOWN}
    aliases: set[str] = set()
    expressions: list[Any] = []
    for kind, node in _nodes(plan):
        what = name_of(node)
        if kind == "plan":
            _require_plan(node, what, names)
            if what == "UnresolvedSubqueryColumnAliases":
                aliases |= {str(name).lower() for name in items_of(node.outputColumnNames())}
        else:
            _require(what in EXPRESSIONS, f"`{what}`")
            if what == "UnresolvedFunction":
                called = function_of(node)
                _require(called in FUNCTIONS, f"the function `{called}`")
            if what == "Alias":
                aliases.add(str(node.name()).lower())
            expressions.append(node)
    require_same_meaning(text, expressions, aliases)


def _require_plan(plan: Any, what: str, names: set[str]) -> None:
    _require(what in PLANS, f"`{what}`")
    if what == "UnresolvedRelation":
        parts = [str(part) for part in items_of(plan.multipartIdentifier())]
        _require(len(parts) == 1 and parts[0].lower() in names, f"`{'.'.join(parts)}`")


def _require(allowed: bool, what: str) -> None:
    if not allowed:
        raise BadQuery(
            f"{what} is not for queries over the mart; read its tables ({', '.join(SHOWN)}) with "
            "SELECT and plain functions.",
            field="sql",
            value=what,
        )


def _nodes(plan: Any) -> Iterator[tuple[str, Any]]:
    """Every plan and expression under a plan, itself first."""
    yield "plan", plan
    if name_of(plan) not in PLANS:
        return  # the caller refuses it; its parts may lie anywhere
    for child in items_of(plan.children()):
        yield from _nodes(child)
    if name_of(plan) == "UnresolvedWith":
        for pair in items_of(plan.cteRelations()):
            yield from _nodes(pair._2())
    for expression in items_of(plan.expressions()):
        yield from _expressions(expression)


def _expressions(expression: Any) -> Iterator[tuple[str, Any]]:
    yield "expression", expression
    if name_of(expression) in SUBQUERIES:
        yield from _nodes(expression.plan())
    for child in items_of(expression.children()):
        yield from _expressions(child)


def _with_names(plan: Any) -> Iterator[str]:
    """Names that the query gives to its own parts."""
    for _, node in _nodes(plan):
        if name_of(node) == "UnresolvedWith":
            for pair in items_of(node.cteRelations()):
                yield str(pair._1())
