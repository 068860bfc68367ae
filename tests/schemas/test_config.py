"""conf.yaml: frozen settings, overrides, and errors that name field and next step."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.config import Config
from schemas.config_file import load_config
from schemas.errors import BadConfig

SHIPPED = Path(__file__).resolve().parents[2] / "conf.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "conf.yaml"
    path.write_text(text)
    return path


def test_the_shipped_file_holds_every_setting_with_its_default():
    shipped = load_config(SHIPPED, {})
    assert shipped.model_copy(update={"paths": Config().paths}) == Config()
    keys = re.findall(r"^  (\w+):", SHIPPED.read_text(), re.MULTILINE)
    known = [
        key for section in Config.model_fields for key in getattr(Config(), section).model_dump()
    ]
    assert sorted(keys) == sorted(known)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Config().api.port = 1


def test_the_environment_overrides_the_file(tmp_path: Path):
    path = written(tmp_path, "api: {port: 9000, workers: 3}\n")
    config = load_config(path, {"MUVR_API__PORT": "9001", "MUVR_CASSANDRA__CONTACT_POINTS": "a,b"})
    assert (config.api.port, config.api.workers) == (9001, 3)
    assert config.cassandra.hosts == ("a", "b")
    assert not config.cassandra.own_node


def test_contact_points_of_the_environment_may_have_spaces_between_them(tmp_path: Path):
    known = {"MUVR_CASSANDRA__CONTACT_POINTS": "db1, db2 ,, db3"}
    config = load_config(written(tmp_path, ""), known)
    assert config.cassandra.hosts == ("db1", "db2", "db3")


@pytest.mark.parametrize(
    ("text", "environment", "field", "says"),
    [
        ("api: {prot: 1}", {}, "api.prot", "did you mean `api.port`"),
        ("apj: {port: 1}", {}, "apj", "did you mean `api`"),
        ("{}", {"MUVR_SPARK__MASTR": "x"}, "spark.mastr", "did you mean `spark.master`"),
        ("api: {port: 99999}", {}, "api.port", "99999"),
        ("training: {seed: -1}", {}, "training.seed", "equal to 0"),
        ("limits: {clock_past_days: 401}", {}, "limits.clock_past_days", "equal to 400"),
        (
            "{}",
            {"MUVR_CASSANDRA__CONTACT_POINTS": '["a","b"]'},
            "cassandra.contact_points",
            "a list is text with commas",
        ),
        ("cassandra: {contact_points: [a b]}", {}, "cassandra.contact_points", "'a b'"),
        ("spark: {deploy_mode: cluster}", {}, "spark.deploy_mode", "run muvr there"),
        ("spark: {options: {master: yarn}}", {}, "spark.options", "begin with `spark.`"),
        ("cassandra: {consistency: local_one}", {}, "cassandra.consistency", "local_one"),
        (
            "cassandra: {contact_points: [db1], replication: 3, consistency: ONE}",
            {},
            "cassandra.consistency",
            "majority",
        ),
        (
            "cassandra: {contact_points: [db1], consistency: TWO}",
            {"MUVR_CASSANDRA__REPLICATION": "4"},
            "cassandra.consistency",
            "with cassandra.replication 4",
        ),
        ("cassandra: {consistency: TWO}", {}, "cassandra.consistency", "there is one copy"),
        ("cassandra: {replication: 3}", {}, "cassandra.replication", "cassandra.contact_points"),
        ("cassandra: {local_dc: dc1}", {}, "cassandra.local_dc", "cassandra.contact_points"),
        ("cassandra: {keyspace: system_auth}", {}, "cassandra.keyspace", "choose another name"),
        ("auth: {refresh_days: 36500}", {}, "auth.refresh_days", "equal to 3650"),
        ("auth: {access_minutes: 10081}", {}, "auth.access_minutes", "equal to 10080"),
        ("sql: {seconds: .inf}", {}, "sql.seconds", "finite"),
        ("auth: {outside_jwks: keys.json}", {}, "auth.outside_issuer", "name is missing"),
        ("limits: {chunk_samples: 8193}", {}, "limits.chunk_samples", "equal to 8192"),
        ("training: {window_step_s: 0.05}", {}, "training.window_step_s", "equal to 0.1"),
        ("{}", {"MUVR_SPARK__OPTIONS": "{a: ["}, "spark.options", "this is no YAML"),
        ("paths: {data: ~nobody-of-this-name/x}", {}, "paths.data", "home directory"),
        ("api: [1]", {}, "", "sections of keys"),
        ("1: {port: 9000}", {}, "", "sections of keys"),
    ],
)
def test_invalid_settings_are_refused_with_their_field(
    tmp_path: Path, text: str, environment: dict[str, str], field: str, says: str
):
    with pytest.raises(BadConfig, match=re.escape(says)) as caught:
        load_config(written(tmp_path, text), environment)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("replication", "consistency"),
    [(1, "ONE"), (1, "LOCAL_ONE"), (3, "QUORUM"), (9, "ALL")],
)
def test_level_whose_reads_see_every_write_is_accepted(
    tmp_path: Path, replication: int, consistency: str
):
    cluster = f"contact_points: [db1], replication: {replication}"
    text = f"cassandra: {{{cluster}, consistency: {consistency}}}"
    assert load_config(written(tmp_path, text), {}).cassandra.consistency == consistency


def test_file_is_read_as_utf_8_in_any_locale():
    """Where Python would read it in the locale's encoding, it is asked to warn."""
    command = "from schemas.config_file import load_config; load_config(SHIPPED, {})"
    done = subprocess.run(
        [
            *(sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning", "-c"),
            f"from pathlib import Path; SHIPPED = Path({str(SHIPPED)!r}); {command}",
        ],
        cwd=SHIPPED.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_file_that_is_no_text_is_named_in_the_error(tmp_path: Path):
    path = tmp_path / "conf.yaml"
    path.write_bytes(b"api: {host: \xff}")
    with pytest.raises(BadConfig, match=f"{re.escape(str(path))} cannot be read"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "api: {port: 9000}\nsql: {rows: 1}\napi: {workers: 2}",
            "`api` stands in lines 1 and 3: merge",
        ),
        ("schedule:\n  jobs:\n    rank: ''\n    rank: ''", "`rank` stands in lines 3 and 4: merge"),
        ("api: {port: {{ port }}}", "(?s:.*)unhashable key"),
    ],
)
def test_key_that_is_no_key_or_written_twice_is_refused(tmp_path: Path, text: str, says: str):
    with pytest.raises(BadConfig, match=f"cannot be read: .*{says}"):
        load_config(written(tmp_path, text), {})


def test_anchor_may_be_merged_into_a_mapping_that_replaces_its_keys(tmp_path: Path):
    text = "api: &api {port: 9000}\nsql: {<<: *api, port: 9001}"
    config = load_config(written(tmp_path, text), {})
    assert (config.api.port, config.sql.port) == (9000, 9001)


def test_missing_file_is_named_in_the_error(tmp_path: Path):
    with pytest.raises(BadConfig, match=re.escape(str(tmp_path / "none.yaml"))):
        load_config(tmp_path / "none.yaml", {})


def test_relative_paths_are_resolved_from_the_folder_of_the_file(tmp_path: Path):
    config = load_config(written(tmp_path, "paths: {data: here}"), {})
    assert config.paths.data == tmp_path / "here"


def test_relative_files_are_resolved_from_the_folder_of_the_file(tmp_path: Path):
    text = "cassandra: {tls_ca: certs/ca.pem}\nspark: {archive: environment.tar.gz}"
    config = load_config(written(tmp_path, text), {})
    assert config.cassandra.tls_ca == str(tmp_path / "certs" / "ca.pem")
    assert config.spark.archive == str(tmp_path / "environment.tar.gz")
    config = load_config(
        written(tmp_path, "auth: {outside_jwks: keys.json, outside_issuer: id}"), {}
    )
    assert config.auth.outside_jwks == str(tmp_path / "keys.json")
    address = "https://id.example/jwks"
    text = f"auth: {{outside_jwks: '{address}', outside_issuer: id}}"
    config = load_config(written(tmp_path, text), {})
    assert config.auth.outside_jwks == address
    elsewhere = load_config(written(tmp_path, "spark: {archive: 'hdfs://a/environment.zip'}"), {})
    assert (elsewhere.spark.archive, elsewhere.cassandra.tls_ca) == ("hdfs://a/environment.zip", "")
