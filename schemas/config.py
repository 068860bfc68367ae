"""The settings of conf.yaml as frozen types; `schemas.config_file` reads them from the file."""

import difflib
import re
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from schemas.cron import read_cron
from schemas.families import AVERAGED, FAMILIES, MART_JOB
from schemas.layout import MAX_CHUNK_SAMPLES, MAX_ID_AGE_DAYS, MAX_ID_AHEAD_DAYS

FEW_COPIES = frozenset({"ONE", "LOCAL_ONE", "TWO", "THREE"})
"""Levels of consistency that ask a fixed number of copies, of any data centre or of the local one;
all others ask a majority or all."""
MAX_REFRESH_DAYS = 10 * 365
"""Cassandra refuses rows that are to last 20 years, and nodes that can be set back to an earlier
release refuse those that end after 2038."""
MAX_ACCESS_MINUTES = 7 * 24 * 60
"""One that is stolen serves until it ends, unless its login is revoked."""

_NOT_IN_NAMES = re.compile(r"[\s\[\]{}\"']")


def _read_yaml(value: object) -> object:
    """An environment override is one text in YAML's braces, such as `{exercise: 10 1 * * *}`."""
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError as problem:
        raise ValueError(f"this is no YAML: {problem}") from problem


TextByName = Annotated[dict[str, str], BeforeValidator(_read_yaml)]


class Section(BaseModel):
    """A part of conf.yaml: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Paths(Section):
    """Folders. Relative ones lie under the folder of conf.yaml."""

    data: Path = Path("build/node")
    jars: Path = Path("~/.cache/muvr/jars")
    datasets: Path = Path("~/.cache/muvr/datasets")
    gym: Path = Path("../shared/data/gym_imu")
    run: Path = Path("build/run")
    secrets: Path = Path("build/secrets")
    mart: Path = Path("build/mart")
    reports: Path = Path("build")


class Cassandra(Section):
    """How to reach Cassandra, and the embedded node when there is no outside cluster."""

    embedded: bool = True
    contact_points: tuple[str, ...] = ()
    port: int = Field(default=9042, ge=1, le=65535)
    storage_port: int = Field(default=7000, ge=1, le=65535)
    jmx_port: int = Field(default=7199, ge=1, le=65535)
    local_dc: str = "datacenter1"
    keyspace: str = Field(default="muvr", pattern=r"^[a-z][a-z0-9_]{0,46}$")
    replication: int = Field(default=1, ge=1, le=9)
    consistency: str = Field(
        default="LOCAL_QUORUM",
        pattern=r"^((LOCAL_|EACH_)?QUORUM|(LOCAL_)?ONE|TWO|THREE|ALL)$",
    )
    username: str = ""
    spark_username: str = ""
    migrations_username: str = ""
    admin_username: str = ""
    tls_ca: str = ""
    heap_mb: int = Field(default=768, ge=256)
    commitlog_window_ms: int = Field(default=5, ge=1, le=1000)
    request_timeout_s: float = Field(default=10.0, gt=0)

    @field_validator("contact_points", mode="before")
    @classmethod
    def _split_contact_points(cls, value: object) -> object:
        """An environment override is one text with commas."""
        return (
            [p.strip() for p in value.split(",") if p.strip()] if isinstance(value, str) else value
        )

    @field_validator("contact_points")
    @classmethod
    def _check_contact_points(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if _NOT_IN_NAMES.search(name):
                raise ValueError(
                    f"{name!r} is no name or address of a host; in the environment a list is text "
                    "with commas, such as db1,db2"
                )
        return names

    @field_validator("keyspace")
    @classmethod
    def _check_keyspace(cls, name: str) -> str:
        if name == "system" or name.startswith("system_"):
            raise ValueError("keyspaces with such names are Cassandra's own; choose another name")
        return name

    @field_validator("local_dc", "replication")
    @classmethod
    def _check_single_node(cls, value: str | int, info: ValidationInfo) -> str | int:
        """Refuse a cluster's settings for the node that Muvr starts itself.

        Its keyspace would be made with copies that no node holds, and nothing could be read.
        """
        alone = info.data.get("embedded") and not info.data.get("contact_points")
        if alone and value != cls.model_fields[str(info.field_name)].default:
            raise ValueError(
                "this is for a cluster: name its nodes in cassandra.contact_points; the embedded "
                "node is alone, with one copy, in datacenter1"
            )
        return value

    @field_validator("consistency")
    @classmethod
    def _check_consistency(cls, level: str, others: ValidationInfo) -> str:
        """Every read must ask a copy that the write before it has reached: more than half of them.

        The same makes a write durable that only memory holds: of a majority one survives.
        """
        copies = others.data.get("replication", 1)
        if copies == 1 and level in ("TWO", "THREE"):
            raise ValueError("with cassandra.replication 1 there is one copy; set LOCAL_QUORUM")
        if copies > 1 and level in FEW_COPIES:
            raise ValueError(
                f"with cassandra.replication {copies} it needs a majority of the copies, or reads "
                "miss writes and a crash loses them; set LOCAL_QUORUM"
            )
        return level

    @property
    def hosts(self) -> tuple[str, ...]:
        """Contact points; the loopback address for the embedded node."""
        return self.contact_points or ("127.0.0.1",)

    @property
    def own_node(self) -> bool:
        """Whether Muvr starts the node itself."""
        return self.embedded and not self.contact_points


class Spark(Section):
    """Where Spark runs and how large its pieces are."""

    master: str = "local[2]"
    deploy_mode: str = "client"
    archive: str = ""
    executors: int = Field(default=2, ge=1)
    driver_memory_mb: int = Field(default=2048, ge=512)
    executor_memory_mb: int = Field(default=2048, ge=512)
    cores: int = Field(default=2, ge=1)
    split_mb: int = Field(default=64, ge=1)
    batch_rows: int = Field(default=512, ge=1)
    options: TextByName = Field(default_factory=dict[str, str])

    @field_validator("deploy_mode")
    @classmethod
    def _check_deploy_mode(cls, value: str) -> str:
        if value != "client":
            raise ValueError(
                "the driver is the process that `muvr` runs in, so it can only be client; to have "
                "the driver in the cluster, run muvr there"
            )
        return value

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: dict[str, str]) -> dict[str, str]:
        for name in options:
            if not name.startswith("spark."):
                raise ValueError(f"{name!r} is no option of Spark: they begin with `spark.`")
        return options


class Api(Section):
    """The HTTP service."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    workers: int = Field(default=1, ge=1)
    model_cache_mb: int = Field(default=64, ge=1)
    pointer_ttl_s: float = Field(default=2.0, ge=0)
    request_timeout_s: float = Field(default=30.0, gt=0)
    body_timeout_s: float = Field(default=15.0, gt=0)
    idle_timeout_s: int = Field(default=30, ge=1)
    connections: int = Field(default=2000, ge=1)
    access_log: bool = True
    public_page: bool = True


class Auth(Section):
    """Tokens."""

    access_minutes: float = Field(default=15, gt=0, le=MAX_ACCESS_MINUTES)
    refresh_days: float = Field(default=90, gt=0, le=MAX_REFRESH_DAYS)
    issuer: str = "muvr"
    outside_jwks: str = ""
    outside_issuer: str = Field(default="", validate_default=True)
    outside_audience: str = "muvr"

    @field_validator("outside_issuer")
    @classmethod
    def _check_outside(cls, issuer: str, others: ValidationInfo) -> str:
        if others.data.get("outside_jwks") and not issuer:
            raise ValueError("auth.outside_jwks has the keys of an issuer whose name is missing")
        return issuer


_MIB = 2**20


class Limits(Section):
    """Caps that hold for every client."""

    body_mb: float = Field(default=1.0, gt=0)
    decoded_mb: float = Field(default=4.0, gt=0)
    completion_mb: float = Field(default=16.0, gt=0)
    chunk_samples: int = Field(default=MAX_CHUNK_SAMPLES, ge=1, le=MAX_CHUNK_SAMPLES)
    clock_past_days: int = Field(default=MAX_ID_AGE_DAYS, ge=1, le=MAX_ID_AGE_DAYS)
    clock_future_days: int = Field(default=MAX_ID_AHEAD_DAYS, ge=0, le=MAX_ID_AHEAD_DAYS)
    requests_per_minute: int = Field(default=6000, ge=1)
    logins_per_minute: int = Field(default=600, ge=1)
    passwords_per_minute: int = Field(default=10, ge=1)
    samples_per_day: int = Field(default=50_000_000, ge=1)
    dead_letters_per_user: int = Field(default=1000, ge=1)

    @property
    def body_bytes(self) -> int:
        """The longest body as received."""
        return int(self.body_mb * _MIB)

    @property
    def decoded_bytes(self) -> int:
        """The longest body without its Content-Encoding."""
        return int(self.decoded_mb * _MIB)

    @property
    def completion_bytes(self) -> int:
        """The longest list that completes a session."""
        return int(self.completion_mb * _MIB)


class Training(Section):
    """What every training run shares."""

    cutoff_share: float = Field(default=0.7, gt=0, lt=1)
    newest_sets: int = Field(default=200, ge=2)
    window_step_s: float = Field(default=1.0, ge=0.1, le=4)
    window_copies: int = Field(default=1, ge=0)
    seed: int = Field(default=1, ge=0)
    gate_margin: float = Field(default=0.01, ge=0, le=1)
    global_model_days: float = Field(default=7, gt=0)


NIGHTLY_AND_WEEKLY = {
    "exercise": "10 1 * * *",
    "activity": "40 1 * * *",
    "form": "0 2 * * *",
    "intensity": "10 2 * * *",
    "load": "20 2 * * *",
    "next": "30 2 * * *",
    "clusters": "0 3 * * 1",
    "recommend": "10 3 * * 1",
    "rank": "20 3 * * 1",
    MART_JOB: "0 4 * * *",
}
"""User models and the mart every night, results over all users once a week."""


class Schedule(Section):
    """When `muvr schedule run` runs a job: five cron fields in UTC; empty: never."""

    jobs: TextByName = Field(default_factory=NIGHTLY_AND_WEEKLY.copy)
    retry_minutes: float = Field(default=30, gt=0)

    @field_validator("jobs")
    @classmethod
    def _check_jobs(cls, jobs: dict[str, str]) -> dict[str, str]:
        trained = [name for name, family in FAMILIES.items() if family.kind != "kernel"]
        known = (*trained, AVERAGED, MART_JOB)
        for name, text in jobs.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
                raise ValueError(f"there is no job {name!r}; did you mean {near!r}?")
            if text:
                read_cron(text)
        return jobs


class Sql(Section):
    """Queries over the mart."""

    seconds: float = Field(default=60.0, gt=0)
    rows: int = Field(default=10_000, ge=1)
    memory_mb: int = Field(default=1024, ge=128)
    port: int = Field(default=10_000, ge=1, le=65535)


class Config(Section):
    """All settings.

    >>> Config().cassandra.hosts
    ('127.0.0.1',)
    """

    paths: Paths = Paths()
    cassandra: Cassandra = Cassandra()
    spark: Spark = Spark()
    api: Api = Api()
    auth: Auth = Auth()
    limits: Limits = Limits()
    training: Training = Training()
    sql: Sql = Sql()
    schedule: Schedule = Schedule()
