"""What Python sees of Spark's parsed queries, which are objects of the JVM."""

from typing import Any

SUBQUERIES = ("ListQuery", "ScalarSubquery", "Exists")
"""Expressions that hold a plan."""


def name_of(node: Any) -> str:
    """The name of the class of a plan or an expression."""
    return str(node.getClass().getSimpleName())


def items_of(sequence: Any) -> list[Any]:
    """A Scala sequence as a list."""
    return [sequence.apply(n) for n in range(sequence.size())]


def function_of(node: Any) -> str:
    """The name of the function that an `UnresolvedFunction` calls, in lower case."""
    return ".".join(str(part) for part in items_of(node.nameParts())).lower()


def words(text: str) -> frozenset[str]:
    """The words of a text: names of nodes and functions."""
    return frozenset(text.split())
