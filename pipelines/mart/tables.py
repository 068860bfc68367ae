"""From Cassandra's rows to the mart's: which table each comes from, and how each column is made.

Expressions are Spark's SQL; `{user}`, `{session}`, … stand for pseudonyms of the ids. Texts that
people never see may name ids: those are left out.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.ids import UUID_PATTERN
from schemas.mart import MART
from schemas.zones import RULES_VERSION, utc_offset_by_rules_s
from store.mart import DIGEST_DIGITS, layout_digest
from store.pseudonyms import PSEUDONYM_DIGITS

PAD = 64  # block of SHA-256: HMAC is two hashes over padded keys (RFC 2104)
PADDED_KEYS = ("inner_key", "outer_key")
"""Columns that the pseudonyms are made with, of `padded_keys`.

Spark shows the text of its plans: on its page, in its event log and in errors. So no key is in it.
"""
IDS = {
    "user": ("u", "user_id"),
    "session": ("s", "session_id"),
    "set": ("t", "set_id"),
    "plan": ("p", "plan_id"),
}
OWNER = {
    "owner": "CASE WHEN owner LIKE 'u:%' THEN {owner} ELSE owner END",
    "level": "CASE WHEN owner LIKE 'u:%' THEN 'user' ELSE 'global' END",
}
RUN = {"run": "run_id"}
FUNCTIONS = {"utc_offset_s": utc_offset_by_rules_s}
"""What expressions call besides Spark's: Java's own rules of time zones are older than ours.

It is told the driver's version: an executor with another one, in an archive built before an update,
would write hours of its own into rows that `copies_digest` calls up to date."""
PROMOTIONS = (
    "concat(array(named_struct('version', version, 'run', run_id), "
    "named_struct('version', previous_version, 'run', previous_run_id)), "
    "coalesce(CAST(earlier AS array<struct<version: string, run: string>>), array()))"
)
"""What a pointer names, newest first, as `store.pointers.Champion.promotions`."""
SERVES = (
    f"nullif(get(filter({PROMOTIONS}, one -> one.version IS NOT NULL AND one.run IS NOT NULL "
    "AND one.run NOT IN ({withdrawn})), 0).version, '')"
)
"""The version in effect, as `store.champions.Champions.in_effect`: of the first that was not
withdrawn, and null where that one retired the model."""
PLANNED = "array<struct<exercise: string, reps: int, weight_kg: double, intensity: double>>"


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where a table of the mart comes from.

    Attributes:
        table: in Cassandra.
        expressions: expressions of columns that are not called the same there.
        keyed: the rest of its partition key after the user, None where it is read whole.
        where: which rows count; with placeholders, as the expressions.
        explode: an expression that makes several rows of one, as `position` and `planned_set`.
    """

    table: str
    expressions: Mapping[str, str]
    keyed: Literal["", "month"] | None = None
    where: str = "true"
    explode: str = ""


def _local(at: str) -> dict[str, str]:
    """Day and hour of a time where the person was; null in a zone that nobody knows any more."""
    at_us = f"unix_micros({at})"
    offset_s = f"utc_offset_s({at_us}, timezone, '{RULES_VERSION}')"
    local = f"timestamp_micros({at_us} + 1000000L * {offset_s})"
    return {"local_date": f"to_date({local})", "local_hour": f"hour({local})"}


SOURCES: Mapping[str, TableSource] = {
    "sessions": TableSource(
        "sessions",
        {
            **_local("started_at"),
            "complete": "coalesce(complete, false)",
        },
        keyed="",
        where="started_at IS NOT NULL",
    ),
    "sets": TableSource("sets", {"revised_at": "timestamp_micros(revision)"}, keyed=""),
    "planned_sets": TableSource(
        "plan_versions",
        {
            "planned_at": "timestamp_micros(revision)",
            **{
                name: f"planned_set.{name}"
                for name in ("exercise", "reps", "weight_kg", "intensity")
            },
        },
        keyed="",
        where="sets IS NOT NULL",
        explode=f"posexplode(from_json(sets, '{PLANNED}')) AS (position, planned_set)",
    ),
    "deviations": TableSource(
        "deviations",
        {
            **_local("started_at_utc"),
            "deviated": "NOT array_contains(kinds, 'as_planned')",
            "kinds": "array_sort(kinds)",
            **{
                side: f"CASE WHEN {side}_exercise IS NOT NULL THEN named_struct("
                f"'exercise', {side}_exercise, 'reps', {side}_reps, "
                f"'weight_kg', {side}_weight_kg, 'intensity', {side}_intensity) END"
                for side in ("planned", "actual")
            },
        },
        keyed="month",
    ),
    "predictions": TableSource("predictions", {}, keyed="month"),
    "models": TableSource(
        "models", {**OWNER, **RUN, "metrics": "get_json_object(manifest, '$.metrics')"}
    ),
    "champions": TableSource(
        "champions",
        {
            **OWNER,
            **RUN,
            "version": "nullif(version, '')",
            "withdrawn": "run_id IN ({withdrawn})",
            "serves": SERVES,
        },
        where=f"version <> '' OR {SERVES} IS NOT NULL",  # else a run retired what had served
    ),
    "clusters": TableSource(
        "clusters",
        {
            **RUN,
            "live": "run_id IN ({live})",
            **{
                name: f"get_json_object(features, '$.{name}')"
                for name in ("frequency", "performance", "improvement")
            },
        },
    ),
    "recommendations": TableSource("recommendations", {**RUN, "live": "run_id IN ({live})"}),
    "ranks": TableSource("ranks", {**RUN, "live": "run_id IN ({live})"}),
    "job_runs": TableSource(
        "job_runs",
        {
            **RUN,
            "seconds": "(unix_micros(finished_at) - unix_micros(started_at)) / 1e6",
            "reasons": "regexp_replace(reasons, '{uuid}', '(id)')",
        },
    ),
    "dead_letters": TableSource(
        "dead_letters", {"reason": "regexp_replace(reason, '{uuid}', '(id)')"}
    ),
}
"""`evaluations` is made of `job_runs` on the driver: each family nests its metrics as it likes."""


def columns_of(name: str, placeholders: Mapping[str, str]) -> list[str]:
    """The expressions of a table's columns, in order, each cast to its type.

    Args:
        name: of the mart's table.
        placeholders: what stands for `{live}`, `{withdrawn}` and the pseudonyms.
    """
    expressions = SOURCES[name].expressions
    return [
        f"CAST({_expression(expressions, column.name).format_map(placeholders)} "
        f"AS {spark_type(column.type)}) AS `{column.name}`"
        for column in MART[name].columns
    ]


def copies_digest() -> str:
    """A digest of what decides rows that may be copied: those of another one are read again."""
    placeholders = pseudonyms()
    made_of = [
        (name, source.table, source.where, source.explode, columns_of(name, placeholders))
        for name, source in SOURCES.items()
        if source.keyed is not None
    ]
    content = repr((layout_digest(), RULES_VERSION, made_of))
    return hashlib.sha256(content.encode()).hexdigest()[:DIGEST_DIGITS]


def pseudonyms() -> dict[str, str]:
    """For every kind of id the expression of its pseudonym, an HMAC-SHA256; null stays null.

    It takes the key from columns, `PADDED_KEYS`.
    """
    expressions = {name: _hmac(letter, column) for name, (letter, column) in IDS.items()}
    return {**expressions, "owner": _hmac("u", "substring(owner, 3)"), "uuid": UUID_PATTERN}


def padded_keys(key: bytes) -> tuple[bytes, ...]:
    """The values of `PADDED_KEYS`, in order."""
    return tuple(bytes(byte ^ fill for byte in key.ljust(PAD, b"\0")) for fill in (0x36, 0x5C))


def spark_type(type_: str) -> str:
    """A type of the mart as Spark writes it.

    >>> spark_type("STRUCT(exercise VARCHAR, reps INTEGER)")
    'struct<exercise: string, reps: int>'
    """
    if type_.endswith("[]"):
        return f"array<{spark_type(type_[:-2])}>"
    if type_.startswith("STRUCT("):
        fields = [field.rsplit(" ", 1) for field in type_[7:-1].split(", ")]
        return "struct<" + ", ".join(f"{n}: {spark_type(t)}" for n, t in fields) + ">"
    return {"VARCHAR": "string", "INTEGER": "int", "TIMESTAMP": "timestamp_ntz"}.get(
        type_, type_.lower()
    )


def _expression(expressions: Mapping[str, str], name: str) -> str:
    if name in expressions:
        return expressions[name]
    return f"{{{name}}}" if name in IDS else f"`{name}`"


def _hmac(letter: str, column: str) -> str:
    inner, outer = PADDED_KEYS
    once = f"unhex(sha2(concat({inner}, CAST({column} AS BINARY)), 256))"
    digest = f"sha2(concat({outer}, {once}), 256)"
    return f"concat('{letter}_', substring({digest}, 1, {PSEUDONYM_DIGITS}))"
