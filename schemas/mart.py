"""The registry of the mart's tables and columns, each with a description and an example.

Parquet files are written and checked by it, both SQL engines show it, and the tables in
docs/analysts.md are generated from it. Types are names that DuckDB and Spark share. Every time is
UTC without a zone, unless the column's name says local. Ids of users and of their data are
pseudonyms: the same id has the same one in every table and after every refresh.
"""

from dataclasses import dataclass

from schemas.statuses import RUN_STATUSES

ID = "VARCHAR"
TEXT = "VARCHAR"
TIME = "TIMESTAMP"
TARGET = "STRUCT(exercise VARCHAR, reps INTEGER, weight_kg DOUBLE, intensity DOUBLE)"


@dataclass(frozen=True, slots=True)
class MartColumn:
    """A column.

    Attributes:
        name: with its unit where it has one.
        type: as DuckDB writes it.
        description: what it holds, and what a null means.
        example: a value.
    """

    name: str
    type: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class MartTable:
    """A table of the mart.

    Attributes:
        name: of the table.
        description: what a row is.
        columns: in order.
        of_user: whether a row belongs to one person, named by `user`.
    """

    name: str
    description: str
    columns: tuple[MartColumn, ...]
    of_user: bool = True


def _table(name: str, description: str, *columns: MartColumn, of_user: bool = True) -> MartTable:
    return MartTable(name, description, columns, of_user)


USER = MartColumn("user", ID, "whose row it is: a keyed pseudonym", "u_3f9a62c1d07be845")
SESSION = MartColumn("session", ID, "of which session", "s_90b1c2d3e4f50617")
SET = MartColumn("set", ID, "which set", "t_1b2c3d4e5f607182")
EXERCISE = MartColumn("exercise", TEXT, "its name", "bench press")
REPS = MartColumn("reps", "INTEGER", "repetitions; null: not said", "8")
WEIGHT = MartColumn("weight_kg", "DOUBLE", "weight in kilograms; null: not said", "62.5")
INTENSITY = MartColumn("intensity", "DOUBLE", "0 to 1: how hard it was; null: not said", "0.7")
RUN = MartColumn("run", ID, "which run of the job", "01a1fb67-1800-7000-8000-000000000000")
LIVE = MartColumn("live", "BOOLEAN", "whether this run's rows are the ones that are served", "true")
FAMILY = MartColumn("family", TEXT, "which kind of model", "exercise")
LAYOUT = MartColumn("model_id", TEXT, "the layout of its input", "wrist-acc6")
VERSION = MartColumn("version", TEXT, "start of the hash of the model's bytes", "9f86d081884c7d65")
OWNER = MartColumn("owner", ID, "a user's pseudonym, or `global`", "u_3f9a62c1d07be845")
LEVEL = MartColumn("level", TEXT, "the rung that answers: user or global", "user")

_PLANNED = (EXERCISE, REPS, WEIGHT, INTENSITY)

MART: dict[str, MartTable] = {
    table.name: table
    for table in (
        _table(
            "sessions",
            "A visit, as its clients opened it.",
            USER,
            SESSION,
            MartColumn("started_at", TIME, "begin, UTC", "2026-11-21 18:02:00"),
            MartColumn("ended_at", TIME, "end of its samples; null: none listed", "… 19:05:12"),
            MartColumn("timezone", TEXT, "where it was, IANA name", "Europe/Berlin"),
            MartColumn(
                "local_date",
                "DATE",
                "day of its begin, there; null: an unknown zone",
                "2026-11-21",
            ),
            MartColumn(
                "local_hour",
                "INTEGER",
                "hour of its begin, there: 0 to 23; null: as local_date",
                "19",
            ),
            MartColumn("plan", ID, "the plan that it followed; null: none", "p_77aa01b2c3d4e5f6"),
            MartColumn("complete", "BOOLEAN", "whether its clients listed their samples", "true"),
        ),
        _table(
            "sets",
            "A set that a person confirmed.",
            USER,
            SESSION,
            SET,
            EXERCISE,
            MartColumn("started_at", TIME, "begin, UTC, by the device", "2026-11-21 18:05:00"),
            MartColumn("ended_at", TIME, "end, UTC, by the device", "2026-11-21 18:05:40"),
            REPS,
            WEIGHT,
            INTENSITY,
            MartColumn(
                "label_source", TEXT, "typed, accepted_guess, corrected or plan", "corrected"
            ),
            MartColumn("revised_at", TIME, "server's time of its newest word", "… 18:06:03"),
        ),
        _table(
            "planned_sets",
            "A set of a plan, in one state of that plan.",
            USER,
            MartColumn("plan", ID, "which plan", "p_77aa01b2c3d4e5f6"),
            MartColumn("planned_at", TIME, "since when the plan said so", "2026-11-20 07:00:00"),
            MartColumn("position", "INTEGER", "place in the plan, from 0", "3"),
            *_PLANNED,
        ),
        _table(
            "deviations",
            "A planned set with what was done instead, or an unplanned set; in sessions with a "
            "plan.",
            USER,
            SESSION,
            MartColumn("position", "INTEGER", "planned sets first, from 0", "0"),
            MartColumn("set", ID, "the done set; null: missed", "t_1b2c3d4e5f607182"),
            MartColumn("started_at_utc", TIME, "of the set; missed: of the session", "… 18:05:00"),
            MartColumn("timezone", TEXT, "where it was, IANA name", "Europe/Berlin"),
            MartColumn("local_hour", "INTEGER", "hour there: 0 to 23; null: an unknown zone", "19"),
            MartColumn("local_date", "DATE", "day there; null: as local_hour", "2026-11-21"),
            MartColumn("planned", TARGET, "what was planned; null: extra", "{bench press, 8, …}"),
            MartColumn("actual", TARGET, "what was done; null: missed", "{bench press, 6, …}"),
            MartColumn(
                "kinds",
                "VARCHAR[]",
                "what happened: as_planned, reps, weight (by more than 0.625 kg), intensity (by "
                "more than 0.05), order, missed, extra",
                "[reps, weight]",
            ),
            MartColumn("deviated", "BOOLEAN", "whether it is not as planned", "true"),
            MartColumn(
                "source", TEXT, "confirmed or sensor: who says it was done; null: missed", "sensor"
            ),
            MartColumn(
                "confidence", "DOUBLE", "of the sensor's word; null: confirmed or missed", "0.93"
            ),
        ),
        _table(
            "predictions",
            "What was answered for a set that the sensors found.",
            USER,
            SESSION,
            SET,
            MartColumn("started_at", TIME, "begin, UTC", "2026-11-21 18:05:01"),
            MartColumn("ended_at", TIME, "end, UTC", "2026-11-21 18:05:38"),
            MartColumn("exercise", TEXT, "its name; null: abstained", "bench press"),
            MartColumn("probability", "DOUBLE", "calibrated, 0 to 1", "0.93"),
            MartColumn("abstained", "BOOLEAN", "whether no name was given", "false"),
            MartColumn(
                "reason",
                TEXT,
                "why not, in the words of `POST /v1/classify`; null: named",
                "unknown-movement",
            ),
            MartColumn("reps", "INTEGER", "repetitions counted; null: not counted", "8"),
            FAMILY,
            LEVEL,
            VERSION,
            MartColumn("predicted_at", TIME, "when it was answered", "2026-11-21 19:06:00"),
        ),
        _table(
            "models",
            "A model that was learned, whether it serves or not.",
            OWNER,
            LEVEL,
            FAMILY,
            LAYOUT,
            VERSION,
            MartColumn("run", ID, "the newest run that learned it", RUN.example),
            MartColumn(
                "created_at",
                TIME,
                "when a run stored it last, all its sets read",
                "2026-11-21 03:00:12",
            ),
            MartColumn(
                "metrics", TEXT, "JSON: what it scored; null: nothing, or not kept", '{"asked": 12}'
            ),
            of_user=False,
        ),
        _table(
            "evaluations",
            "One number that a run recorded: a score, a count, seconds of a step.",
            FAMILY,
            RUN,
            MartColumn("status", TEXT, "how the run ended", "done"),
            MartColumn("metric", TEXT, "its name, parts joined by dots", "model.ndcg"),
            MartColumn("value", "DOUBLE", "the number", "0.481"),
            MartColumn("evaluated_at", TIME, "when the run ended", "2026-11-21 03:01:40"),
            of_user=False,
        ),
        _table(
            "champions",
            "The newest promotion of an owner; where it is withdrawn, an earlier one may serve.",
            OWNER,
            LEVEL,
            FAMILY,
            LAYOUT,
            MartColumn(
                "version", TEXT, f"{VERSION.description}; null: its run retired it", VERSION.example
            ),
            RUN,
            MartColumn("previous_version", TEXT, "the one before; null: none", "2c26b46b68ffc68f"),
            MartColumn("promoted_at", TIME, "since when", "2026-11-21 03:01:30"),
            MartColumn("withdrawn", "BOOLEAN", "whether its run was withdrawn", "false"),
            MartColumn("serves", TEXT, "the version that serves; null: none does", VERSION.example),
            of_user=False,
        ),
        _table(
            "clusters",
            "A person's group in a run.",
            USER,
            RUN,
            LIVE,
            MartColumn("cluster", "INTEGER", "number of the group", "2"),
            MartColumn("name", TEXT, "name of the group's centre", "often, strong, holding"),
            MartColumn("frequency", "DOUBLE", "sessions a week", "3.4"),
            MartColumn("performance", "DOUBLE", "log of strength over the median of all", "0.7"),
            MartColumn("improvement", "DOUBLE", "relative change of strength in four weeks", "0.1"),
        ),
        _table(
            "recommendations",
            "An exercise that was recommended.",
            USER,
            RUN,
            LIVE,
            MartColumn("position", "INTEGER", "1 is the best", "1"),
            EXERCISE,
            MartColumn("score", "DOUBLE", "of the model; larger is better", "0.83"),
            MartColumn("why", TEXT, "the reason that people see", "because of squat (60%)"),
        ),
        _table(
            "ranks",
            "A person's place by who follows whom.",
            USER,
            RUN,
            LIVE,
            MartColumn("rank", "DOUBLE", "share of all attention; they add up to 1", "0.0012"),
            MartColumn("position", "INTEGER", "1 is the highest", "17"),
        ),
        _table(
            "job_runs",
            "A run of a job.",
            FAMILY,
            RUN,
            MartColumn("status", TEXT, RUN_STATUSES, "done"),
            MartColumn("started_at", TIME, "begin", "2026-11-21 03:00:00"),
            MartColumn("finished_at", TIME, "end; null: not yet", "2026-11-21 03:01:40"),
            MartColumn("seconds", "DOUBLE", "how long it took; null: not yet", "100.2"),
            MartColumn("counts", TEXT, "JSON: models by outcome, sets read", '{"promoted": 999}'),
            MartColumn("metrics", TEXT, "JSON: recipe and baselines", '{"error": 0.04}'),
            MartColumn("reasons", TEXT, "JSON: why users have no new model", '{"too few": 1}'),
            of_user=False,
        ),
        _table(
            "dead_letters",
            "Something that was sent and cannot be used.",
            USER,
            MartColumn("day", "DATE", "when it came", "2026-11-21"),
            MartColumn("kind", TEXT, "what it was", "chunk"),
            MartColumn("reason", TEXT, "why it cannot be used; ids are left out", "chunk 3 of …"),
            MartColumn("received_at", TIME, "when it came", "2026-11-21 18:05:02"),
        ),
    )
}

FRESHNESS = _table(
    "mart",
    "How fresh the tables are, in one row; no file, but a view of both engines.",
    MartColumn(
        "as_of", TIME, "everything acknowledged before this time is in them", "2026-11-21 03:00:00"
    ),
    of_user=False,
)
SHOWN: dict[str, MartTable] = {FRESHNESS.name: FRESHNESS, **MART}
"""What a query may read: the tables, and the view that says how fresh they are."""


def described(table: MartTable) -> str:
    """A table as Markdown, for docs/analysts.md."""
    lines = [f"### {table.name}", "", table.description, "", "| column | type | what | example |"]
    lines.append("|---|---|---|---|")
    for column in table.columns:
        cells = (f"`{column.name}`", column.type, column.description, f"`{column.example}`")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
